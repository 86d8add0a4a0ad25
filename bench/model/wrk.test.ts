// wrk's report line, good and bad.
import { expect, test } from "@jest/globals";
import { parseWrk } from "./wrk.ts";

const LINE = 'headgate-bench {"requests":10,"durationUs":1000000,"p50Us":5,"p99Us":9,"badStatus":1,"socketErrors":2}';

test("the report is found among wrk's own lines", () => {
  expect(parseWrk(`Running 1s test @ http://127.0.0.1:1/\n${LINE}\n`)).toEqual({
    ok: true,
    value: { requests: 10, durationUs: 1_000_000, p50Us: 5, p99Us: 9, badStatus: 1, socketErrors: 2 },
  });
});

test("a run without a report, with a torn one or with a number missing is an error, never a zero", () => {
  expect(parseWrk("unable to connect to 127.0.0.1:1 Connection refused").ok).toBe(false);
  expect(parseWrk(LINE.slice(0, 40)).ok).toBe(false);
  expect(parseWrk('headgate-bench {"requests":10}').ok).toBe(false);
  expect(parseWrk("headgate-bench null").ok).toBe(false);
});

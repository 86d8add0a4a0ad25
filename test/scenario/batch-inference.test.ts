// The batch-inference example, run as a user runs it, against free ports.

import { expect, test } from "@jest/globals";
import { runExample } from "../support/example.ts";

test("the batch-inference example answers the same requests with far fewer calls of the model, and ends its instance", async () => {
  const { code, stdout, stderr } = await runExample("batch-inference/main.ts");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const calls = (backend: string): number => Number(new RegExp(`^${backend}: 200 answers by (\\d+) calls`, "m").exec(stdout)?.[1]);
  expect(calls("one-by-one")).toBe(200);
  expect(calls("batched")).toBeLessThanOrEqual(100);
  expect(stdout).toMatch(/one of them wrong: 200, 400$/m);
});

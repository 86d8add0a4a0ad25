// Which processes a status names.
import { expect, test } from "@jest/globals";
import { pidsOf } from "./status.ts";

test("controller, bridges and replicas are found wherever they stand, once each, and pids of 0 are none", () => {
  const status = {
    controller: { pid: 10, state: "serving" },
    bridges: [{ pid: 11 }],
    backends: { bench: { replicas: [{ pid: 12, restarts: 3 }, { pid: 13 }, { pid: 0, state: "starting" }] } },
    again: { pid: 10 },
  };
  expect(pidsOf(status)).toEqual([10, 11, 12, 13]);
  expect(pidsOf(undefined)).toEqual([]);
});

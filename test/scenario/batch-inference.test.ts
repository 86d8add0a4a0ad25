// The batch-inference example, run as a user runs it, against free ports.

import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { REPOSITORY, runNode, temporaryFolder } from "../support/instance.ts";

test("the batch-inference example answers the same requests with far fewer calls of the model, and ends its instance", async () => {
  await using folder = await temporaryFolder();
  const env = {
    HEADGATE_HTTP_PORT: "0",
    HEADGATE_CONTROL_PORT: "0",
    HEADGATE_ADMIN_PORT: "0",
    HEADGATE_STATE_DIR: join(folder.path, ".headgate"),
  };
  const { code, stdout, stderr } = await runNode([join(REPOSITORY, "examples", "batch-inference", "main.ts")], { cwd: REPOSITORY, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const calls = (backend: string): number => Number(new RegExp(`^${backend}: 200 answers by (\\d+) calls`, "m").exec(stdout)?.[1]);
  expect(calls("one-by-one")).toBe(200);
  expect(calls("batched")).toBeLessThanOrEqual(100);
  expect(stdout).toMatch(/one of them wrong: 200, 400$/m);
});

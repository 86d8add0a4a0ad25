import { expect, test } from "@jest/globals";
import { devLine } from "./dev-log.ts";

test("what a handler writes is shown under its backend's name", () => {
  expect(devLine("default-b02f5851", "asked /")).toBe("default | asked /");
  expect(devLine("a-b-1f", '{"level":"info","msg":"my own record"}')).toBe('a-b | {"level":"info","msg":"my own record"}');
});

test("the platform's own records are not shown", () => {
  expect(devLine("controller", "anything")).toBeNull();
  expect(devLine("bridge-1f", "anything")).toBeNull();
  expect(devLine("a-1f", '{"level":"info","replica":"a-1f","msg":"ready"}')).toBeNull();
});

test("what a handler throws is one line with its place, and a failed start is left to the reload", () => {
  const record = (requestId: string) =>
    JSON.stringify({
      level: "error",
      replica: "a-1f",
      requestId,
      exception: { name: "TypeError", message: "bad", file: "app.ts", line: 3, stack: "…" },
    });
  expect(devLine("a-1f", record("r"))).toBe("a | threw TypeError: bad (app.ts:3)");
  expect(devLine("a-1f", record(""))).toBeNull();
});

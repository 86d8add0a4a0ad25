// The purity rule catches each way of breaking it, and lets plain functions through.
import { expect, test } from "@jest/globals";
import { mustBePure, purityProblems } from "./purity.ts";

const problems = (text: string): string[] =>
  purityProblems({ path: "client/src/model/a.ts", text }).map(({ line, message }) => `${line}: ${message}`);

test.each([
  'import { readFileSync } from "node:fs";',
  'import type { Socket } from "node:net";',
  'import { open } from "../session.ts";',
  'export * from "../session.ts";',
  'const late = import("./b.ts");',
  "const t = Date.now();",
  'const t = Date["now"]();',
  "const t = new Date();",
  "const t = Date();",
  "const r = Math.random();",
  "const t = performance.now();",
  "setTimeout(f, 1);",
  "setInterval(f, 1);",
  "queueMicrotask(f);",
  "const e = process.env;",
  "async function f() {}",
  "const f = async () => 1;",
  "class C { async m() {} }",
  "const o = { async m() {} };",
  "await x;",
  "async function* f() { for await (const x of y) g(x); }",
  "const p = Promise.resolve(1);",
  "const p = new Promise(f);",
  'fetch("http://example.test");',
  "console.log(1);",
  "const id = crypto.randomUUID();",
  "globalThis.x = 1;",
  "const o = { [process]: 1 };",
  "const o = { process };",
])("is caught: %s", (violation) => {
  const found = problems(`const first = 1;\n${violation}`);
  expect(found).not.toEqual([]);
  expect(found.every((line) => line.startsWith("2: "))).toBe(true);
});

test.each([
  'import type { Session } from "../session.ts";',
  'import { parseRoute } from "@headgate/core";',
  'import { shareAt } from "./split.ts";',
  "const when = new Date(nowMs).toISOString();",
  "const o = { process: 1, fetch() {} };",
  "const x = job.process.console;",
  "type Later = (value: string) => Promise<string>;",
  "const text = 'Date.now() and await';",
  "const n = Math.floor(x); const d = Date.parse('2026-01-01');",
])("passes: %s", (source) => {
  expect(problems(source)).toEqual([]);
});

test("holds for core and for every model folder, not for shells and tests", () => {
  const paths = [
    "core/src/a.ts",
    "controller/src/model/a.ts",
    "controller/src/a.ts",
    "client/src/model/a.test.ts",
    "bench/model/a.ts",
    "core/src/a.test.ts",
  ];
  expect(paths.filter(mustBePure)).toEqual(["core/src/a.ts", "controller/src/model/a.ts"]);
});

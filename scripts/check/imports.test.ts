// The import rule catches each way of breaking it, and lets what is allowed through.
import { expect, test } from "@jest/globals";
import { type RoomManifest, importProblems } from "./imports.ts";

const ROOMS: readonly RoomManifest[] = [
  { room: "proto", name: "@headgate/proto", exports: ["./*", "./wire"] },
  { room: "core", name: "@headgate/core", exports: ["."] },
  { room: "rpc", name: "@headgate/rpc", exports: ["."] },
  { room: "client", name: "@headgate/client", exports: ["."] },
  { room: "controller", name: "@headgate/controller", exports: ["./main"] },
  { room: "replica", name: "@headgate/replica", exports: ["./main"] },
  { room: "http-bridge", name: "@headgate/http-bridge", exports: ["./main"] },
  { room: "cli", name: "headgate", exports: ["."] },
];

const problems = (...files: readonly (readonly [string, string])[]): string[] =>
  importProblems(
    files.map(([path, text]) => ({ path, text })),
    ROOMS,
  ).map(({ path, line, message }) => `${path}:${line}: ${message}`);

test.each([
  ["core/src/a.ts", "@headgate/rpc"],
  ["proto/src/a.ts", "@headgate/core"],
  ["rpc/src/a.ts", "@headgate/client"],
  ["client/src/a.ts", "@headgate/controller/main"],
  ["controller/src/a.ts", "@headgate/replica/main"],
  ["replica/src/a.ts", "@headgate/http-bridge/main"],
  ["http-bridge/src/a.test.ts", "@headgate/controller/main"],
  ["controller/src/a.ts", "headgate"],
])("%s may not import %s: it is not on a lower layer", (path, specifier) => {
  expect(problems([path, `import { x } from "${specifier}";`])).toEqual([expect.stringContaining("only lower layers")]);
});

test.each([
  "import type { X } from %;",
  "export * from %;",
  "export { x } from %;",
  "const x = import(%);",
  "let x: import(%).X;",
  "import %;",
])("a planted violation is caught in the form: %s", (form) => {
  const source = `const first = 1;\n${form.replace("%", '"@headgate/client"')}`;
  expect(problems(["core/src/a.ts", source])).toEqual([
    expect.stringMatching(/^core\/src\/a\.ts:2: core \(layer 1\) cannot import client/),
  ]);
});

test("only what a package exports can be imported, also from outside of the rooms", () => {
  const deep = 'import { x } from "@headgate/core/src/names.ts";';
  expect(problems(["rpc/src/a.ts", deep], ["test/a.test.ts", deep])).toEqual([
    expect.stringContaining("rpc/src/a.ts:1: "),
    expect.stringContaining("not among the exports of core/package.json"),
  ]);
  expect(problems(["rpc/src/a.ts", 'import { x } from "../../core/src/names.ts";'])).toEqual([
    expect.stringContaining("reaches into core/"),
  ]);
  expect(problems(["bench/a.ts", 'import { x } from "../core/src/names.ts";'])).toEqual([expect.stringContaining("reaches into core/")]);
});

test("a room imports its own files by path, not by its name; its tests may do both", () => {
  expect(problems(["core/src/a.test.ts", 'import { x } from "@headgate/core"; import { y } from "./a.ts";'])).toEqual([]);
  expect(problems(["core/src/a.ts", 'import { x } from "@headgate/core";'])).toEqual([expect.stringContaining("this room itself")]);
});

test("an import cycle is named once, whole; types alone make none", () => {
  const ring = (kind: string): string[] =>
    problems(
      ["core/src/a.ts", 'import { b } from "./b.ts";'],
      ["core/src/b.ts", 'import { c } from "./c.ts";'],
      ["core/src/c.ts", `import ${kind}{ a } from "./a.ts";`],
    );
  expect(ring("")).toEqual(["core/src/c.ts:1: import cycle: core/src/a.ts → core/src/b.ts → core/src/c.ts → core/src/a.ts"]);
  expect(ring("type ")).toEqual([]);
});

test("what the rule allows passes", () => {
  const source = ["@headgate/proto/wire", "@headgate/proto/backend", "@headgate/core", "nice-grpc", "node:fs", "./b.ts"]
    .map((specifier, index) => `import { x as x${index} } from "${specifier}";`)
    .join("\n");
  expect(
    problems(["rpc/src/a.ts", source], ["test/a.test.ts", 'import { start } from "headgate"; import "@headgate/controller/main";']),
  ).toEqual([]);
});

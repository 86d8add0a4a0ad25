import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { inspectModule } from "./inspect-module.ts";

let dir: string;
let main: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "headgate-inspect-"));
  main = join(dir, "app.ts");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test("functions and classes are found, and the files that the module is made of", async () => {
  await writeFile(join(dir, "part.ts"), "export const part: number = 1;\n");
  await writeFile(
    main,
    'import { part } from "./part.ts";\nexport default () => part;\nexport class Counter {}\nexport const limit = 3;\n',
  );
  expect(await inspectModule(main)).toEqual({ kind: "loaded", exports: ["Counter", "default"], files: [main, join(dir, "part.ts")] });
});

test("each look sees the file as it is now", async () => {
  await writeFile(main, "export const one = () => 1;\n");
  await inspectModule(main);
  await writeFile(main, "export const two = () => 2;\n");
  expect(await inspectModule(main)).toMatchObject({ exports: ["two"] });
});

test.each([
  ["does not parse", "export const x = ;\n", /part\.ts:1: SyntaxError/],
  ["throws", '\n\nthrow new TypeError("bad thing");\n', /part\.ts:3: TypeError: bad thing/],
  ["ends the process", "process.exit(3);\n", /ended its process/],
])("an import that %s is told with its place, and its file stays known", async (_, source, message) => {
  await writeFile(join(dir, "part.ts"), source);
  await writeFile(main, 'import "./part.ts";\n');
  const look = await inspectModule(main);
  expect(look).toMatchObject({ kind: "failed", message: expect.stringMatching(message) });
});

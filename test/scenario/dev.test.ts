// `headgate dev FILE` as a developer lives with it: edit, save, served again; a mistake is told and what worked goes on.
// The saves are waited for with a generous bound, and no time is claimed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { REPOSITORY, temporaryFolder, waitFor } from "../support/instance.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let command: ChildProcess;
let written = "";
let httpUrl: string;

const save = (name: string, text: string): Promise<void> => writeFile(join(folder.path, name), text);
const get = async (path: string): Promise<string> => (await fetch(`${httpUrl}${path}`)).text();
const served = (path: string, text: string) => waitFor(`${text} at ${path}`, async () => (await get(path)) === text);
const told = (text: string | RegExp, from: number) =>
  waitFor(`the words ${text}, but only ${written}`, () => written.slice(from).search(text) >= 0);

beforeAll(async () => {
  folder = await temporaryFolder();
  await save("words.ts", 'export const greeting = "one";\n');
  await save(
    "app.ts",
    'import { greeting } from "./words.ts";\nexport default () => greeting;\nexport const ping = () => "pong";\nexport class Counter { #n = 0; handle() { this.#n += 1; return String(this.#n); } }\n',
  );
  const { NODE_OPTIONS: _, ...env } = process.env;
  command = spawn(process.execPath, [join(REPOSITORY, "cli", "bin", "headgate.mjs"), "dev", "./app.ts"], {
    cwd: folder.path,
    env: { ...env, HEADGATE_HTTP_PORT: "0", HEADGATE_CONTROL_PORT: "0", HEADGATE_ADMIN_PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [command.stdout, command.stderr]) stream?.on("data", (piece) => (written += String(piece)));
  await told("watching for changes", 0);
  ({ httpUrl } = JSON.parse(await readFile(join(folder.path, ".headgate", "dev", "instance.json"), "utf8")));
}, 60_000);
afterAll(async () => {
  if (command.exitCode === null && command.signalCode === null) {
    command.kill("SIGINT");
    await once(command, "exit");
  }
  await folder[Symbol.asyncDispose]();
});

test("every export is served: the default one at /, the others at their names", async () => {
  expect(written).toContain(httpUrl);
  expect(await get("/")).toBe("one");
  expect(await get("/ping")).toBe("pong");
  expect([await get("/Counter"), await get("/Counter")]).toEqual(["1", "2"]);
});

test("a save is served again", async () => {
  const from = written.length;
  await save("app.ts", 'import { greeting } from "./words.ts";\nexport default () => greeting + "!";\nexport const ping = () => "pong";\n');
  await told("served again", from);
  expect(await get("/")).toBe("one!");
});

test("a save of a file that the module imports is served again", async () => {
  await save("words.ts", 'export const greeting = "two";\n');
  await served("/", "two!");
});

test("a new export is served and one that is gone is not", async () => {
  await save("app.ts", 'import { greeting } from "./words.ts";\nexport default () => greeting;\nexport const pong = () => "ping";\n');
  await served("/pong", "ping");
  await waitFor("the end of /ping", async () => (await get("/ping")) === "two" || (await fetch(`${httpUrl}/ping`)).status === 404);
});

test("a mistake is told with its place, and what was served before goes on", async () => {
  const from = written.length;
  await save("app.ts", "export default () => {\n  return (;\n};\n");
  await told(/app\.ts/, from);
  await told("what was served before goes on", from);
  expect(await get("/")).toBe("two");
});

test("the mended file is served again", async () => {
  await save("app.ts", 'export default () => "mended";\n');
  await served("/", "mended");
});

test("what a handler writes is shown", async () => {
  await save("app.ts", 'export default () => { console.log("a line of the handler"); return "written"; };\n');
  await served("/", "written");
  await told("a line of the handler", 0);
});

test("Ctrl-C ends it and its instance", async () => {
  command.kill("SIGINT");
  if (command.exitCode === null) await once(command, "exit");
  expect(command.exitCode).toBe(0);
  await expect(fetch(httpUrl)).rejects.toThrow();
});

// What a newcomer's first command does, with an npm of our own that only notes how it was called.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "headgate-run-"));
  for (const folder of ["scripts", "room", "tools"]) mkdirSync(join(root, folder));
  cpSync(new URL("./run.mjs", import.meta.url), join(root, "scripts/run.mjs"));
  writeFileSync(join(root, "package.json"), '{"type":"module","workspaces":["room"]}');
  writeFileSync(join(root, "room/package.json"), "{}");
  writeFileSync(join(root, "package-lock.json"), "{}");
  npm("");
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Puts a program called npm in place that notes its arguments and then does `more`. */
function npm(more: string): void {
  const script = `#!/bin/sh\necho "$@" >>"${root}/calls"\necho said by npm\nmkdir -p "${root}/node_modules/.bin"\n${more}\n`;
  writeFileSync(join(root, "tools/npm"), script, { mode: 0o755 });
}

const calls = (): string[] => (existsSync(join(root, "calls")) ? readFileSync(join(root, "calls"), "utf8").trim().split("\n") : []);

function run(...args: string[]): { readonly code: number | null; readonly out: string; readonly err: string } {
  const env = { ...process.env, PATH: [join(root, "tools"), dirname(process.execPath), process.env.PATH].join(delimiter) };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "scripts/run.mjs"), ...args], { env, encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

test("the first command installs with one line about it, the next one does not", () => {
  const first = run("echo", "hello there");
  expect(first).toMatchObject({ code: 0, out: "hello there\n" });
  expect(first.err).toBe("installing dependencies (once, about 20 s)…\nsaid by npm\n");
  expect(run("echo", "again")).toEqual({ code: 0, out: "again\n", err: "" });
  expect(calls()).toEqual(["install --no-save --loglevel=error --no-fund --no-audit"]);
});

test.each(["package-lock.json", "package.json", "room/package.json"])("a change of %s makes the next command install again", (file) => {
  run("true");
  writeFileSync(join(root, file), `${readFileSync(join(root, file), "utf8")} `);
  run("true");
  run("true");
  expect(calls()).toHaveLength(2);
});

test("an install that fails says so, runs nothing, and is tried again", () => {
  npm("exit 7");
  const failed = run("echo", "never");
  expect(failed).toMatchObject({ code: 1, out: "" });
  expect(failed.err).toContain("npm install ended with exit code 7");
  npm("");
  expect(run("echo", "now")).toMatchObject({ code: 0, out: "now\n" });
});

test("the command's exit code, or the signal that ended it, becomes its own", () => {
  expect(run("sh", "-c", "exit 3").code).toBe(3);
  expect(run("sh", "-c", "kill -TERM $$").code).toBe(143);
  expect(run("no-such-program")).toMatchObject({ code: 127 });
});

test("programs that the dependencies bring go before those of the machine", () => {
  npm(`printf '#!/bin/sh\\necho pinned\\n' >"${root}/node_modules/.bin/node" && chmod +x "${root}/node_modules/.bin/node"`);
  expect(run("node")).toMatchObject({ code: 0, out: "pinned\n" });
});

test("without a command it says how it is called", () => {
  expect(run()).toMatchObject({ code: 1, err: "usage: node scripts/run.mjs COMMAND [ARGUMENT]…\n" });
});

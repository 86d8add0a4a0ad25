import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Command } from "commander";
import type { World } from "./console.ts";
import { buildProgram, run } from "./program.ts";

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "headgate-cli-"));
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

function worldIn(dir: string): World & { readonly text: () => { readonly out: string; readonly err: string } } {
  const written = { out: "", err: "" };
  const into = (name: "out" | "err") =>
    new Writable({
      write(chunk, _, done) {
        written[name] += String(chunk);
        done();
      },
    });
  const signal = new AbortController().signal;
  return { env: {}, cwd: dir, version: "1.2.3", signal, out: into("out"), err: into("err"), text: () => written };
}

/** Runs a command line and gives its exit code and what it wrote. */
async function headgate(...words: readonly string[]) {
  const world = worldIn(cwd);
  const code = await run(words, world);
  return { code, ...world.text() };
}

test("help and version are no failures", async () => {
  expect(await headgate("--version")).toEqual({ code: 0, out: "1.2.3\n", err: "" });
  expect(await headgate("--help")).toMatchObject({ code: 0, out: expect.stringContaining("headgate dev ./app.ts") });
});

function* leaves(command: Command, words: readonly string[] = []): Generator<readonly string[]> {
  for (const sub of command.commands) {
    if (sub.commands.length > 0) yield* leaves(sub, [...words, sub.name()]);
    else yield [...words, sub.name()];
  }
}

test("every command's help has an example", async () => {
  const commands = [...leaves(buildProgram(worldIn(cwd)))];
  expect(commands.length).toBeGreaterThan(17);
  for (const words of commands) {
    const { code, out } = await headgate(...words, "--help");
    expect([words, code, /\nExample:\n {2}\S/.test(out)]).toEqual([words, 0, true]);
  }
});

test.each([
  ["an unknown command", ["bogus"]],
  ["an unknown option", ["status", "--bogus"]],
  ["a missing argument", ["backend", "get"]],
  ["an argument too many", ["backend", "get", "a", "b"]],
  ["a form that does not exist", ["status", "-o", "xml"]],
  ["no command", []],
  ["half a command", ["backend"]],
])("%s is wrong usage: exit code 2 and a line that says so", async (_, words) => {
  const { code, out, err } = await headgate(...words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).not.toBe("");
});

test.each([
  ["no instance", ["status"], "headgate: no instance found in"],
  ["a port that is none", ["start", "--http-port", "x"], 'headgate: --http-port must be a whole number from 0 to 65535, not "x"'],
  [
    "a setting that does not exist",
    ["backend", "create", "a", "./h.ts", "--set", "replicas=2"],
    'headgate: there is no setting "replicas"',
  ],
  ["a handler that is none", ["backend", "create", "a", "hello"], "headgate: a handler is a function"],
  ["no handler", ["backend", "create", "a"], "headgate: a backend needs a handler"],
  ["an endpoint without traffic", ["endpoint", "create", "a"], "headgate: an endpoint needs either --backend"],
  ["a weight that is none", ["traffic", "set", "a", "b=x"], 'headgate: the weight of "b"'],
  ["a file that is not there", ["apply", "-f", "x.yaml"], "headgate: x.yaml cannot be read (ENOENT)"],
  ["a module that is not there", ["dev", "./x.ts"], "headgate: ./x.ts does not exist"],
])("%s is a failure: exit code 1 and one clear line", async (_, words, line) => {
  const { code, out, err } = await headgate(...words);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain(line);
});

test("a file's mistakes are told before anything is asked of an instance", async () => {
  await writeFile(join(cwd, "f.yaml"), "backends:\n  a: { handler: 3 }\n");
  expect(await headgate("apply", "-f", "f.yaml")).toMatchObject({ code: 1, err: expect.stringContaining("f.yaml:2: backends.a.handler") });
});

test("a state directory that cannot be written is told with what to do", async () => {
  await writeFile(join(cwd, "file"), "");
  const { code, err } = await headgate("start", "--state-dir", "file/state");
  expect(code).toBe(1);
  expect(err).toContain("cannot be written");
  expect(err).toContain("--state-dir");
});

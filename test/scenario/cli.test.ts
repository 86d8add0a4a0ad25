// The command line as a shell runs it: every command once, in one session with a real instance; what it prints, in which
// form, and its exit code. Its rules one by one stand beside the sources in cli/; `headgate dev`, in dev.test.ts.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { isAlive as alive } from "@headgate/client";
import { parse } from "yaml";
import { REPOSITORY, runNode, temporaryFolder, waitFor } from "../support/instance.ts";

const COMMAND = join(REPOSITORY, "cli", "bin", "headgate.mjs");
const FREE_PORTS = { HEADGATE_HTTP_PORT: "0", HEADGATE_CONTROL_PORT: "0", HEADGATE_ADMIN_PORT: "0" };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let httpUrl: string;
let pid: number;

const headgate = (...words: readonly string[]) => runNode([COMMAND, ...words], { cwd: folder.path, env: FREE_PORTS });

/** Runs a command that must succeed, and reads what it prints as JSON. */
async function json(...words: readonly string[]) {
  const { code, stdout, stderr } = await headgate(...words, "-o", "json");
  expect([code, stderr.split("\n").filter((line) => line.startsWith("headgate:"))]).toEqual([0, []]);
  return JSON.parse(stdout);
}

const text = async (path: string): Promise<string> => (await fetch(`${httpUrl}${path}`)).text();

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(
    join(folder.path, "handlers.ts"),
    `export const hello = () => { console.log("said hello"); return "hello"; };
     export class Greeter { #words; constructor(...words: string[]) { this.#words = words; } handle() { return this.#words; } }
    `,
  );
  const started = await json("start", "--detach");
  ({ httpUrl, pid } = started);
}, 60_000);
afterAll(async () => {
  if (alive(pid)) await headgate("stop", "--force");
  await folder[Symbol.asyncDispose]();
});

test("start --detach leaves an instance running and tells where it is", async () => {
  expect(alive(pid)).toBe(true);
  expect((await fetch(`${httpUrl}/-/healthz`)).status).toBe(200);
});

test("a second start in the same folder is refused with a hint", async () => {
  const { code, stdout, stderr } = await headgate("start", "--detach");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^headgate: .*\n {2}hint: .*headgate status/m);
});

test("backend create starts a module's export with arguments and settings", async () => {
  expect(await json("backend", "create", "hello", "./handlers.ts#hello", "--replicas", "2", "--set", "drainTimeoutMs=5000")).toMatchObject({
    name: "hello",
    state: "ready",
    numReplicas: 2,
    drainTimeoutMs: 5000,
  });
  expect(await json("backend", "create", "greeter", "./handlers.ts#Greeter", "--arg", "plain words", "--arg", '{"json":1}')).toMatchObject({
    args: ["plain words", { json: 1 }],
  });
});

test("endpoint create opens a route", async () => {
  expect(await json("endpoint", "create", "hello", "--backend", "hello", "--route", "/hello", "--methods", "get,post")).toMatchObject({
    route: "/hello",
    methods: ["GET", "POST"],
    traffic: { hello: 1 },
  });
  expect(await text("/hello")).toBe("hello");
});

test("backend list, get and endpoint list, get say the same in every form", async () => {
  for (const words of [
    ["backend", "list"],
    ["backend", "get", "hello"],
    ["endpoint", "list"],
    ["endpoint", "get", "hello"],
  ]) {
    const asJson = await json(...words);
    const asYaml = await headgate(...words, "-o", "yaml");
    const withoutLoad = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (key, field) => (["memoryBytes", "completed", "inFlight"].includes(key) ? 0 : field)));
    expect(withoutLoad(parse(asYaml.stdout))).toEqual(withoutLoad(asJson));
    const asTable = await headgate(...words);
    expect([asTable.code, asTable.stdout]).toEqual([0, expect.stringContaining("hello")]);
  }
});

test("traffic set replaces the split", async () => {
  expect(await json("traffic", "set", "hello", "hello=0.5", "greeter=0.5")).toMatchObject({ traffic: { hello: 0.5, greeter: 0.5 } });
  expect(await json("traffic", "set", "hello", "hello=1")).toMatchObject({ traffic: { hello: 1 } });
});

test("shadow set copies a part, and 0 ends it", async () => {
  expect(await json("shadow", "set", "hello", "greeter", "0.5")).toMatchObject({ shadows: { greeter: 0.5 } });
  expect(await json("shadow", "set", "hello", "greeter", "0")).toMatchObject({ shadows: {} });
});

test("backend update and endpoint update change what they name", async () => {
  expect(await json("backend", "update", "greeter", "--arg", "new")).toMatchObject({ args: ["new"], numReplicas: 1 });
  expect(await json("endpoint", "update", "hello", "--route", "/hi")).toMatchObject({ route: "/hi", methods: ["GET", "POST"] });
  expect(await text("/hi")).toBe("hello");
});

test("endpoint create and update set and take away rules, sticky users, preview and CORS, and every form shows them", async () => {
  const words = ["--traffic", "hello=0.9", "greeter=0.1", "--route", "/ab", "--sticky-cookie", "ab", "--sticky-max-age-s", "3600"];
  const rules = ["--match", "header:x-beta=1:greeter", "--match", "cookie:group^=beta-:greeter", "--preview-header", "X-Preview"];
  const cors = ["--cors-origin", "https://a.example", "--cors-origin", "https://b.example", "--cors-headers", "*", "--cors-credentials"];
  const shown = {
    traffic: { greeter: 0.1, hello: 0.9 },
    affinity: { cookie: "ab", maxAgeS: 3600 },
    matches: [
      { backend: "greeter", header: "x-beta", value: "1" },
      { backend: "greeter", cookie: "group", prefix: "beta-" },
    ],
    previewHeader: "x-preview",
    cors: { origins: ["https://a.example", "https://b.example"], headers: "*", credentials: true, methods: null, maxAgeS: 600 },
  };
  expect(await json("endpoint", "create", "ab", ...words, ...rules, ...cors)).toMatchObject(shown);
  expect(parse((await headgate("endpoint", "get", "ab", "-o", "yaml")).stdout)).toMatchObject(shown);
  expect((await headgate("endpoint", "list")).stdout).toMatch(/ab .*2 match, preview x-preview, sticky ab, cors/);
  expect(await (await fetch(`${httpUrl}/ab`, { headers: { "x-preview": "hello" } })).text()).toBe("hello");

  const which = await json("endpoint", "which", "ab", "user-42");
  expect(which).toEqual({ endpoint: "ab", key: "user-42", backend: expect.stringMatching(/^(hello|greeter)$/) });
  expect((await headgate("endpoint", "which", "ab", "user-42")).stdout.trim()).toBe(which.backend);

  const without = ["--no-match", "--no-preview-header", "--no-sticky-cookie", "--no-cors"];
  expect(await json("endpoint", "update", "ab", ...without)).toMatchObject({
    matches: [],
    previewHeader: null,
    affinity: null,
    cors: null,
  });
  expect(await headgate("endpoint", "update", "ab", "--match", "x-beta=1:greeter")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("write header:NAME=VALUE:BACKEND"),
  });
  await json("endpoint", "delete", "ab");
});

test("status shows controller, bridges, replicas and endpoints", async () => {
  expect(await json("status")).toMatchObject({
    httpUrl,
    controller: { pid, state: "serving" },
    bridges: [{ state: "serving" }],
    backends: [{ name: "greeter" }, { name: "hello" }],
    endpoints: [{ name: "hello" }],
  });
  const { code, stdout } = await headgate("status");
  expect(code).toBe(0);
  expect(stdout).toMatch(/controller[^]*greeter[^]*hello[^]*\/hi/);
});

test("logs shows what a backend's handler wrote", async () => {
  await waitFor("the line in the log", async () => (await headgate("logs", "hello")).stdout.includes("said hello"));
});

test("apply makes a file so, and a second time has nothing to do", async () => {
  await writeFile(
    join(folder.path, "headgate.yaml"),
    "backends:\n  filed:\n    handler: ./handlers.ts#hello\nendpoints:\n  filed: { route: /filed, backend: filed }\n",
  );
  expect(await json("apply", "-f", "headgate.yaml", "--dry-run")).toMatchObject({
    dryRun: true,
    changes: [{ name: "filed" }, { name: "filed" }],
  });
  expect((await fetch(`${httpUrl}/filed`)).status).toBe(404);
  await json("apply", "-f", "headgate.yaml");
  expect(await text("/filed")).toBe("hello");
  expect(await json("apply", "-f", "headgate.yaml")).toEqual({ dryRun: false, changes: [] });
});

test("apply changes the rules that a file changes, and no others", async () => {
  const file = (rules: string): Promise<void> =>
    writeFile(join(folder.path, "rules.yaml"), `endpoints:\n  filed: { route: /filed, backend: filed${rules} }\n`);
  await file(', affinity: { cookie: ab }, matches: [{ backend: hello, header: x-beta, present: true }], cors: { origins: "*" }');
  expect(await json("apply", "-f", "rules.yaml")).toMatchObject({
    changes: [
      { kind: "updateEndpoint", changes: [/^cors: null → /, /^affinity: /, /^matches: /].map((line) => expect.stringMatching(line)) },
    ],
  });
  expect(await json("apply", "-f", "rules.yaml")).toMatchObject({ changes: [] });
  await file("");
  expect(await json("apply", "-f", "rules.yaml")).toMatchObject({ changes: [{ kind: "updateEndpoint" }] });
  expect(await json("endpoint", "get", "filed")).toMatchObject({ affinity: null, matches: [], cors: null });
});

test("a backend in use is not deleted: exit code 1, one clear line and a hint", async () => {
  const { code, stdout, stderr } = await headgate("backend", "delete", "filed");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^headgate: backend "filed" is used by endpoint "filed"[^\n]*\n {2}hint: [^\n]*\n$/m);
});

test("endpoint delete and backend delete can be repeated", async () => {
  expect(await json("endpoint", "delete", "filed")).toMatchObject({ existed: true });
  expect(await json("endpoint", "delete", "filed")).toMatchObject({ existed: false });
  expect(await json("backend", "delete", "filed")).toMatchObject({ existed: true });
  expect(await json("backend", "delete", "filed", "--force")).toMatchObject({ existed: false });
});

describe("exit codes and what stands on standard error", () => {
  test.each([
    ["a backend that does not exist", ["backend", "get", "nobody"], 'headgate: there is no backend "nobody"'],
    ["a module that does not exist", ["backend", "create", "b", "./gone.ts"], "headgate: there is no module ./gone.ts"],
    ["weights that do not sum to 1", ["traffic", "set", "hello", "hello=0.5"], "headgate: the weights must sum to 1"],
    ["an instance that does not exist", ["status", "--state-dir", "nowhere"], "headgate: no instance found in"],
  ])("refused or failed is 1: %s", async (_, words, line) => {
    const { code, stdout, stderr } = await headgate(...words);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.split("\n").filter((one) => one.startsWith("headgate: "))).toEqual([expect.stringContaining(line)]);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each([
    ["an unknown command", ["bogus"]],
    ["an unknown option", ["status", "--bogus"]],
    ["a form that there is not", ["status", "-o", "xml"]],
    ["a missing argument", ["endpoint", "get"]],
  ])("wrong usage is 2: %s", async (_, words) => {
    const { code, stdout, stderr } = await headgate(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^headgate: \S/);
  });

  test("help, version and completion are 0", async () => {
    expect(await headgate("--version")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" });
    expect(await headgate("backend", "create", "--help")).toMatchObject({ code: 0, stdout: expect.stringContaining("Example:") });
    for (const shell of ["bash", "zsh", "fish"])
      expect(await headgate("completion", shell)).toMatchObject({ code: 0, stdout: expect.stringContaining("headgate") });
  });
});

test("stop drains and ends the instance", async () => {
  expect(await json("stop")).toMatchObject({ stopped: true });
  expect(alive(pid)).toBe(false);
  await expect(fetch(`${httpUrl}/hi`)).rejects.toThrow();
  expect((await headgate("status")).code).toBe(1);
});

test("start brings back what was there before the stop", async () => {
  ({ httpUrl, pid } = await json("start", "--detach"));
  await waitFor("the backends of before", async () => (await fetch(`${httpUrl}/hi`)).status === 200);
  expect(await json("stop", "--force")).toMatchObject({ stopped: true });
});

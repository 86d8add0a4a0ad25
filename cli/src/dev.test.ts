// The commands against a real instance, as a user runs them: `headgate dev` and `headgate start`.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

const COMMAND = fileURLToPath(new URL("../bin/headgate.mjs", import.meta.url));
const PORTS = { HEADGATE_HTTP_PORT: "0", HEADGATE_CONTROL_PORT: "0", HEADGATE_ADMIN_PORT: "0" };

let dir: string;
let child: ChildProcess;
let written: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "headgate-dev-"));
  written = "";
});
afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGINT");
    await once(child, "exit");
  }
  // Processes that were killed with their command may still be writing their last.
  await rm(dir, { recursive: true, force: true, maxRetries: 10 });
});

function headgate(...words: readonly string[]): void {
  const { NODE_OPTIONS: _, ...env } = process.env;
  child = spawn(process.execPath, [COMMAND, ...words], { cwd: dir, env: { ...env, ...PORTS }, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (written += String(chunk)));
}

/** Resolves when the command has written this, not counting what stood there before `from`. */
async function says(words: string, from = 0): Promise<void> {
  for (let waitedMs = 0; !written.slice(from).includes(words); waitedMs += 20) {
    if (waitedMs > 20_000) throw new Error(`"${words}" was not written within 20 s, only: ${written}`);
    await sleep(20);
  }
}

async function httpUrl(stateDir: string): Promise<string> {
  const instance: { httpUrl: string } = JSON.parse(await readFile(join(dir, stateDir, "instance.json"), "utf8"));
  return instance.httpUrl;
}

const text = async (url: string): Promise<string> => (await fetch(url)).text();

test("dev serves a file's exports, serves them anew at a save, and keeps serving what worked", async () => {
  const [app, part] = [join(dir, "app.ts"), join(dir, "part.ts")];
  await writeFile(part, 'export const word: string = "one";\n');
  await writeFile(app, 'import { word } from "./part.ts";\nexport default () => word;\nexport const ping = () => "pong";\n');
  headgate("dev", "./app.ts");
  await says("watching for changes");
  const url = await httpUrl(join(".headgate", "dev"));
  expect([await text(url), await text(`${url}/ping`)]).toEqual(["one", "pong"]);

  await writeFile(part, 'export const word: string = "two";\n');
  await says("served again in");
  expect(await text(url)).toBe("two");

  let from = written.length;
  await writeFile(part, '\nthrow new Error("not like this");\nexport const word = "";\n');
  await says(`${part}:2: Error: not like this`, from);
  await says("what was served before goes on", from);
  expect(await text(url)).toBe("two");

  from = written.length;
  await writeFile(part, 'export const word: string = "three";\n');
  await says("served again in", from);
  from = written.length;
  await writeFile(app, 'import { word } from "./part.ts";\nexport default () => word;\nexport const pong = () => "ping";\n');
  await says("served again in", from);
  expect([await text(url), await text(`${url}/pong`), await text(`${url}/ping`)]).toEqual(["three", "ping", "three"]);

  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([0, null]);
  await expect(fetch(url)).rejects.toThrow();
});

test("an instance ends with the command that started it, even when that is killed", async () => {
  headgate("start");
  await says("Ctrl-C drains and ends it");
  const url = await httpUrl(".headgate");
  expect((await fetch(`${url}/-/healthz`)).status).toBe(200);
  child.kill("SIGKILL");
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    if (
      !(await fetch(`${url}/-/healthz`).then(
        () => true,
        () => false,
      ))
    )
      return;
    await sleep(50);
  }
  throw new Error("the instance goes on without its command");
});

test("a second start on the same state directory says who is there and what to do", async () => {
  headgate("start");
  await says("Ctrl-C drains and ends it");
  const first = child;
  headgate("start");
  expect(await once(child, "exit")).toEqual([1, null]);
  expect(written).toMatch(/headgate: .*another instance.*\n {2}hint: .*headgate stop/);
  first.kill("SIGTERM");
  expect(await once(first, "exit")).toEqual([0, null]);
});

test("an answer under way is finished, and the instance ends right after it", async () => {
  const app = `export default async function* () {
  for (let tick = 0; tick < 5; tick += 1) {
    yield "tick\\n";
    await new Promise((done) => setTimeout(done, 200));
  }
}
`;
  await writeFile(join(dir, "app.ts"), app);
  headgate("dev", "./app.ts");
  await says("watching for changes");
  const response = await fetch(await httpUrl(join(".headgate", "dev")));
  child.kill("SIGTERM");
  const ended = once(child, "exit");
  expect(await response.text()).toBe("tick\n".repeat(5));
  const beganMs = performance.now();
  expect(await ended).toEqual([0, null]);
  expect(performance.now() - beganMs).toBeLessThan(10_000);
});

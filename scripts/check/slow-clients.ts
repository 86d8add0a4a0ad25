// A thousand slow callers (slowhttptest: slow heads, slow bodies, slow readers) beside one of good will, which has to see no error.
// Its times are told and not judged: they are the machine's, which the slow callers share.

import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { start } from "headgate";
import { runTool, tool } from "./tool.ts";

const INSTALL = "apt-get install slowhttptest";
const CONNECTIONS = "1000";
const SECONDS = 12;
/** Between two requests of the caller of good will. */
const PAUSE_MS = 10;

const slowhttptest = tool("slowhttptest", INSTALL);
const scratch = mkdtempSync(join(tmpdir(), "headgate-slow-"));
const serve = await start({ httpPort: 0, controlPort: 0, adminPort: 0, root: scratch, stateDir: join(scratch, ".headgate") });
const agent = new Agent({ keepAlive: true, maxSockets: 4 });

function ask(): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(`${serve.httpUrl}/good`, { agent, timeout: 10_000 }, (response) => {
      response.resume();
      response.on("close", () => resolve(response.statusCode === 200 && response.complete));
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

/** Asks again and again until this is over. */
async function goodCaller(
  during: Promise<unknown>,
): Promise<{ readonly requests: number; readonly errors: number; readonly p99Ms: number }> {
  let over = false;
  void during.finally(() => {
    over = true;
  });
  const times: number[] = [];
  let errors = 0;
  while (!over) {
    const began = performance.now();
    if (!(await ask())) errors++;
    times.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await during;
  times.sort((a, b) => a - b);
  return { requests: times.length, errors, p99Ms: times[Math.floor(times.length * 0.99)] ?? 0 };
}

const common = ["-c", CONNECTIONS, "-r", "500", "-l", String(SECONDS), "-p", "5"];
const MODES: readonly (readonly [string, readonly string[]])[] = [
  ["slow heads", ["-H", "-i", "3", "-x", "24", "-u", `${serve.httpUrl}/good`]],
  ["slow bodies", ["-B", "-i", "3", "-s", "8192", "-x", "10", "-t", "POST", "-u", `${serve.httpUrl}/take`]],
  ["slow readers", ["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3", "-u", `${serve.httpUrl}/large`]],
];

try {
  await serve.createBackend("good", () => "good");
  await serve.createBackend("take", async (request: Request) => (await request.text()).length);
  await serve.createBackend("large", () => "x".repeat(1_000_000));
  await serve.createEndpoint("good", { backend: "good", route: "/good" });
  await serve.createEndpoint("take", { backend: "take", route: "/take", methods: ["POST"] });
  await serve.createEndpoint("large", { backend: "large", route: "/large" });
  await ask();
  const alone = await goodCaller(new Promise((resolve) => setTimeout(resolve, 3_000)));
  process.stdout.write(`note: alone: ${alone.requests} requests, ${alone.errors} errors, p99 ${alone.p99Ms.toFixed(1)} ms\n`);
  for (const [name, args] of MODES) {
    const running = runTool(slowhttptest, [...common, ...args], (SECONDS + 30) * 1_000);
    const seen = await goodCaller(running);
    const most = Math.max(
      0,
      ...Array.from(stripVTControlCharacters(await running).matchAll(/connected: +(\d+)/g), ([, count]) => Number(count)),
    );
    if (most < Number(CONNECTIONS) / 2) throw new Error(`slowhttptest made ${most} connections for ${name}`);
    const line = `${most} ${name}: ${seen.requests} requests, ${seen.errors} errors, p99 ${seen.p99Ms.toFixed(1)} ms`;
    process.stdout.write(`note: ${line}\n`);
    if (seen.errors > 0 || seen.requests === 0) throw new Error(`a caller of good will saw errors beside ${line}`);
  }
  const { bridges } = await serve.status();
  if (bridges.some(({ restarts }) => restarts > 0)) throw new Error("a bridge ended meanwhile and was started anew");
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  agent.destroy();
  await serve.shutdown({ force: true });
  rmSync(scratch, { recursive: true, force: true });
}
process.exit();

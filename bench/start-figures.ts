// Times of starting and the memory of idling: `headgate start` of the command line beside `node server.js`, in turn.
// The state directory already holds a backend of two replicas and an endpoint, so that the first 200 is a handler's.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "headgate";
import { startServer } from "./chains/node-servers.ts";
import { freePort } from "./chains/ports.ts";
import { BACKEND, REQUEST_APP } from "./chains/request-app.ts";
import { median } from "./model/statistics.ts";
import { pidsOf } from "./model/status.ts";
import type { StartFigures } from "./model/targets.ts";
import { memoryOf, type Started, startProcess, until200 } from "./processes.ts";

const CLI = join(import.meta.dirname, "..", "cli", "bin", "headgate.mjs");

/** How long a process rests before its memory is read. */
const SETTLE_MS = 1500;

interface Round {
  readonly healthyMs: number;
  readonly first200Ms: number;
  readonly replicaReadyMs: number;
  readonly pssKib: number;
  readonly rssKib: number;
}

/** Measures all of them, Headgate and bare alternately. */
export async function measureStart(
  rounds: number,
  directory: string,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<StartFigures> {
  mkdirSync(directory, { recursive: true });
  const stateDir = join(directory, "state");
  progress("start: preparing a state directory");
  await prepare(directory, stateDir, signal);
  const headgate: Round[] = [];
  const bare: { first200Ms: number; pssKib: number }[] = [];
  for (let round = 1; round <= rounds; round++) {
    progress(`start: round ${round}/${rounds}`);
    bare.push(await bareRound(directory, signal));
    headgate.push(await headgateRound(directory, stateDir, signal));
  }
  return {
    rounds,
    headgateFirst200Ms: median(headgate.map((r) => r.first200Ms)),
    headgateHealthyMs: median(headgate.map((r) => r.healthyMs)),
    bareFirst200Ms: median(bare.map((r) => r.first200Ms)),
    replicaReadyMs: median(headgate.map((r) => r.replicaReadyMs)),
    idlePssKib: median(headgate.map((r) => r.pssKib)),
    idleRssKib: median(headgate.map((r) => r.rssKib)),
    bareIdlePssKib: median(bare.map((r) => r.pssKib)),
  };
}

function startCli(directory: string, stateDir: string, port: number): Started {
  const flags = ["--http-port", String(port), "--control-port", "0", "--admin-port", "0", "--state-dir", stateDir];
  return startProcess({
    command: process.execPath,
    args: [CLI, "start", ...flags],
    log: join(directory, "headgate-start.log"),
  });
}

async function prepare(directory: string, stateDir: string, signal: AbortSignal): Promise<void> {
  const port = await freePort();
  await using cli = startCli(directory, stateDir, port);
  await until200(`http://127.0.0.1:${port}/-/healthz`, 30_000, cli.ended, signal);
  const serve = await connect({ stateDir });
  for (const backend of REQUEST_APP.backends) await serve.createBackend(backend);
  for (const { name, ...endpoint } of REQUEST_APP.endpoints) await serve.createEndpoint(name, endpoint);
  await serve.close();
}

async function headgateRound(directory: string, stateDir: string, signal: AbortSignal): Promise<Round> {
  const port = await freePort();
  await using cli = startCli(directory, stateDir, port);
  const base = `http://127.0.0.1:${port}`;
  const [healthyMs, first200Ms] = await Promise.all([
    until200(`${base}/-/healthz`, 30_000, cli.ended, signal),
    until200(`${base}/small`, 30_000, cli.ended, signal),
  ]);
  const serve = await connect({ stateDir });
  await sleep(SETTLE_MS, undefined, { signal });
  const { pssKib, rssKib } = memoryOf([...new Set([cli.pid, ...pidsOf(await serve.status())])]);
  const from = performance.now();
  await serve.updateBackend(BACKEND, { config: { numReplicas: 3 } });
  const replicaReadyMs = performance.now() - from;
  await serve.updateBackend(BACKEND, { config: { numReplicas: 2 } });
  await serve.close();
  return { healthyMs, first200Ms, replicaReadyMs, pssKib, rssKib };
}

async function bareRound(directory: string, signal: AbortSignal): Promise<{ first200Ms: number; pssKib: number }> {
  const port = await freePort();
  await using server = startServer("bare.ts", [String(port)], { directory, signal });
  const first200Ms = await until200(`http://127.0.0.1:${port}/small`, 10_000, server.ended, signal);
  await sleep(SETTLE_MS, undefined, { signal });
  return { first200Ms, pssKib: memoryOf([server.pid]).pssKib };
}

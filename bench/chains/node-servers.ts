// The chains that are made of our own small servers: bare node:http, and a bridge with grpc-js unary behind it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fault, HeadgateError } from "@headgate/core";
import { type Started, startProcess, until200 } from "../processes.ts";
import type { RunningChain, Site, StartChain } from "./chain.ts";
import { freePort } from "./ports.ts";

/** Long enough for a machine that others use, too. */
const START_WITHIN_MS = 30_000;

const SERVERS = join(import.meta.dirname, "..", "servers");

/** Starts one of bench/servers on this very Node. */
export function startServer(name: string, args: readonly string[], site: Site): Started {
  return startProcess({
    command: process.execPath,
    args: [join(SERVERS, name), ...args],
    log: join(site.directory, `${name}.log`),
  });
}

/** One bare server; also used behind Envoy. */
export async function startBareServer(site: Site): Promise<{ port: number; server: Started }> {
  const port = await freePort();
  const server = startServer("bare.ts", [String(port)], site);
  await until200(`http://127.0.0.1:${port}/small`, START_WITHIN_MS, server.ended, site.signal);
  return { port, server };
}

/** A chain of started processes, ended in reverse order. */
export function chainOf(url: string, stack: AsyncDisposableStack, processes: readonly Started[]): RunningChain {
  const pids = processes.map((started) => started.pid);
  return { url, pids: async () => pids, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A chain of one of bench/servers, whose first argument is its port. */
export function nodeChain(name: string, readyPath: string): StartChain {
  return async (site) => {
    await using stack = new AsyncDisposableStack();
    const port = await freePort();
    const server = stack.use(startServer(name, [String(port)], site));
    const url = `http://127.0.0.1:${port}`;
    await until200(url + readyPath, START_WITHIN_MS, server.ended, site.signal);
    return chainOf(url, stack.move(), [server]);
  };
}

export const startBare: StartChain = nodeChain("bare.ts", "/small");

/** Waits until a server has made its socket. */
async function untilThere(path: string, ended: Promise<never>, signal: AbortSignal): Promise<void> {
  for (const fromMs = performance.now(); performance.now() - fromMs < START_WITHIN_MS; ) {
    if (existsSync(path)) return;
    await Promise.race([ended, sleep(10, undefined, { signal })]);
  }
  throw new HeadgateError(fault("start_failed", `${path} was not there within ${START_WITHIN_MS} ms.`));
}

export const startGrpc: StartChain = async (site) => {
  await using stack = new AsyncDisposableStack();
  const sockets = [1, 2].map((n) => join(site.directory, `${n}.sock`));
  const replicas = sockets.map((path) => ({ path, server: stack.use(startServer("grpc-replica.ts", [path], site)) }));
  // The bridge takes them in turn: one that listened later would fail every second request.
  for (const { path, server } of replicas) await untilThere(path, server.ended, site.signal);
  const port = await freePort();
  const bridge = stack.use(startServer("grpc-bridge.ts", [String(port), ...sockets], site));
  const url = `http://127.0.0.1:${port}`;
  await until200(`${url}/small`, START_WITHIN_MS, bridge.ended, site.signal);
  return chainOf(url, stack.move(), [bridge, ...replicas.map(({ server }) => server)]);
};

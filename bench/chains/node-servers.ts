// The chains that are made of our own small servers: bare node:http, and a bridge with grpc-js unary behind it.
import { join } from "node:path";
import { type Started, startProcess, until200 } from "../processes.ts";
import type { RunningChain, Site, StartChain } from "./chain.ts";
import { freePort } from "./ports.ts";

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
  await until200(`http://127.0.0.1:${port}/small`, 10_000, server.ended, site.signal);
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
    await until200(url + readyPath, 10_000, server.ended, site.signal);
    return chainOf(url, stack.move(), [server]);
  };
}

export const startBare: StartChain = nodeChain("bare.ts", "/small");

export const startGrpc: StartChain = async (site) => {
  await using stack = new AsyncDisposableStack();
  const sockets = [1, 2].map((n) => join(site.directory, `${n}.sock`));
  const replicas = sockets.map((path) => stack.use(startServer("grpc-replica.ts", [path], site)));
  const port = await freePort();
  const bridge = stack.use(startServer("grpc-bridge.ts", [String(port), ...sockets], site));
  const url = `http://127.0.0.1:${port}`;
  await until200(`${url}/small`, 10_000, bridge.ended, site.signal);
  return chainOf(url, stack.move(), [bridge, ...replicas]);
};

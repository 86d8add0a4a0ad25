// Echoes over WebSockets: messages a second, and what one costs, beside a bare server of the package ws in one process.
import type { RunningChain, StartChain } from "../chains/chain.ts";
import { type HeadgateApp, headgateChain } from "../chains/headgate.ts";
import { nodeChain } from "../chains/node-servers.ts";
import { costOf, type FigureLoad, type RunHow } from "../figure-load.ts";
import type { FigureTable, Measured } from "../model/figures.ts";
import { megabytesOf, quantile } from "../model/statistics.ts";
import { echoHandler } from "./echo.ts";
import { askEchoes } from "./generator.ts";

interface Shape {
  readonly connections: number;
  readonly inFlight: number;
  readonly bytes: number;
  readonly text: boolean;
}

const MANY = "64 B text, 64 connections, 8 in flight each";
const CASES: Readonly<Record<string, Shape>> = {
  [MANY]: { connections: 64, inFlight: 8, bytes: 64, text: true },
  "64 B text, 1,000 connections, 4 in flight each": { connections: 1_000, inFlight: 4, bytes: 64, text: true },
  "64 B text, 64 connections, 1 in flight each": { connections: 64, inFlight: 1, bytes: 64, text: true },
  "4 KiB binary, 64 connections, 4 in flight each": { connections: 64, inFlight: 4, bytes: 4_096, text: false },
};

const TABLE: FigureTable = {
  name: "websocket",
  title: "WebSocket echo",
  cases: Object.keys(CASES),
  chains: { bare: "bare ws, 1 process", headgate: "Headgate, 1 bridge + 2 replicas" },
  base: "bare",
  columns: [
    { key: "messagesPerSecond", title: "messages/s", unit: "/s", ratio: true },
    { key: "cpuUsPerMessage", title: "CPU/message", unit: "µs", ratio: true },
    { key: "p50Ms", title: "p50", unit: "ms" },
    { key: "p99Ms", title: "p99", unit: "ms", ratio: true },
    { key: "generatorLoad", title: "generator", unit: "" },
    { key: "pssAfterMb", title: "PSS after", unit: "MB" },
  ],
  targets: [
    {
      what: "WebSocket messages/s to bare ws",
      key: "messagesPerSecond",
      cases: [MANY],
      chain: "headgate",
      to: "bare",
      bound: "atLeast",
      limit: 0.8,
    },
  ],
  note: "“generator” is the load generator's own CPU by elapsed time: near 1 it is the generator that was measured.",
};

const APP: HeadgateApp = {
  backends: [{ name: "echo", handler: echoHandler, config: { numReplicas: 2, maxConcurrentQueries: 2_000 } }],
  endpoints: [{ name: "echo", backend: "echo", route: "/echo" }],
  readyPath: "/echo",
};

export function websocketLoad(): FigureLoad {
  const chains = new Map<string, StartChain>([
    ["bare", nodeChain("websocket.ts", "/echo")],
    ["headgate", headgateChain(APP)],
  ]);
  return { table: TABLE, chains, measure };
}

async function measure(chain: RunningChain, how: RunHow): Promise<Measured> {
  const shape = CASES[how.case];
  if (shape === undefined) return { values: {}, errors: 1 };
  const asked = { ...shape, port: Number(new URL(chain.url).port), path: "/echo", ms: how.seconds * 1_000, signal: how.signal };
  const { result: seen, ...cost } = await askEchoes(asked, (run) => costOf(chain, run));
  return {
    values: {
      messagesPerSecond: seen.messages / (seen.totalMs / 1_000),
      cpuUsPerMessage: cost.cpuUs / Math.max(1, seen.messages),
      p50Ms: quantile(seen.latencyMs, 0.5),
      p99Ms: quantile(seen.latencyMs, 0.99),
      generatorLoad: seen.generatorLoad,
      pssAfterMb: megabytesOf(cost.pssAfterKib),
    },
    errors: seen.failed,
  };
}

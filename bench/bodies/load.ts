// Bodies up and down: how many bytes a second go through, what a MiB costs, and whether memory stays flat meanwhile.
// Bodies of 64 KiB are wrk's to send and fetch; for those of 10 MiB wrk reads in pieces too small to keep up.
import type { RunningChain } from "../chains/chain.ts";
import { type HeadgateApp, headgateChains } from "../chains/headgate.ts";
import { nodeChain } from "../chains/node-servers.ts";
import { costOf, type FigureLoad, type RunHow } from "../figure-load.ts";
import type { FigureLoadSetting } from "../figure-loads.ts";
import type { FigureTable, Measured } from "../model/figures.ts";
import { CHAIN_TITLES } from "../model/results.ts";
import { megabytesOf } from "../model/statistics.ts";
import { memoryOf } from "../processes.ts";
import { runWrk } from "../wrk.ts";
import { moveBodies } from "./generator.ts";
import { BodiesHandler, FILL, PIECE_BYTES } from "./work.ts";

const MIB = 1024 * 1024;
const CONNECTIONS = 16;

interface Case {
  readonly direction: "up" | "down";
  readonly bytes: number;
  readonly path: string;
}

const CASES: Readonly<Record<string, Case>> = {
  "64 KiB up": { direction: "up", bytes: PIECE_BYTES, path: "/up" },
  "64 KiB down": { direction: "down", bytes: PIECE_BYTES, path: "/buffer" },
  "10 MiB up": { direction: "up", bytes: 10 * MIB, path: "/up" },
  "10 MiB down, stream": { direction: "down", bytes: 10 * MIB, path: "/stream" },
  "10 MiB down, one Buffer": { direction: "down", bytes: 10 * MIB, path: "/buffer" },
};

/** All 16 bodies of 10 MiB held whole in the bridge and once more in a replica would be 335 MB. */
const MEMORY = { key: "pssGrowthMb", chain: "headgate", bound: "atMost" } as const;

const TABLE: FigureTable = {
  name: "bodies",
  title: `Bodies up and down, ${CONNECTIONS} connections`,
  cases: Object.keys(CASES),
  chains: {
    bare: "bare node:http, 1 process",
    headgate: "Headgate, 1 bridge + 2 replicas",
    "headgate-before": CHAIN_TITLES["headgate-before"],
  },
  base: "bare",
  columns: [
    { key: "megabytesPerSecond", title: "MB/s", unit: "MB/s", ratio: true },
    { key: "cpuUsPerMib", title: "CPU/MiB", unit: "µs", ratio: true },
    { key: "generatorLoad", title: "generator", unit: "" },
    { key: "pssStartMb", title: "PSS at start", unit: "MB" },
    { key: "pssBeforeMb", title: "before", unit: "MB" },
    { key: "pssGrowthMb", title: "growth", unit: "MB" },
    { key: "peakGrowthMb", title: "peak", unit: "MB" },
  ],
  targets: [
    { what: "MB/s to bare, bodies", key: "megabytesPerSecond", chain: "headgate", to: "bare", bound: "atLeast", limit: 0.5 },
    { ...MEMORY, what: "growth of PSS in a run, bodies", limit: 64 },
    { what: "MB/s to before, bodies", key: "megabytesPerSecond", chain: "headgate", to: "headgate-before", bound: "atLeast", limit: 0.95 },
  ],
  note:
    "“PSS at start” is that of the idle chain, before its first case; “growth” is PSS right after a run less PSS before it, “peak” how far the processes' RSS rose above that in the run, both summed over all processes; " +
    "“generator” is the CPU of the load generator by elapsed time (of wrk, for 64 KiB, it is not measured).",
};

const APP: HeadgateApp = {
  backends: [{ name: "bodies", handler: BodiesHandler, config: { numReplicas: 2 } }],
  endpoints: [
    { name: "up", backend: "bodies", route: "/up", methods: ["POST"] },
    { name: "stream", backend: "bodies", route: "/stream" },
    { name: "buffer", backend: "bodies", route: "/buffer" },
  ],
  readyPath: "/buffer?bytes=1",
};

export function bodiesLoad({ before }: FigureLoadSetting): FigureLoad {
  const chains = new Map([["bare", nodeChain("bodies.ts", "/buffer?bytes=1")], ...headgateChains(APP, before)]);
  return { table: TABLE, chains, measure };
}

/** PSS of each chain before its first load. */
const pssAtStartKib = new WeakMap<RunningChain, number>();

async function measure(chain: RunningChain, how: RunHow): Promise<Measured> {
  const asked = CASES[how.case];
  if (asked === undefined) throw new TypeError(`no case ${how.case}`);
  const pssStartKib = pssAtStartKib.get(chain) ?? memoryOf(await chain.pids()).pssKib;
  pssAtStartKib.set(chain, pssStartKib);
  const wrong = await isWrong(chain.url, asked, how.signal);
  const { result: moved, ...cost } = await costOf(chain, () => (asked.bytes <= PIECE_BYTES ? byWrk : byHand)(chain.url, asked, how));
  const mib = (moved.bodies * asked.bytes) / MIB;
  return {
    values: {
      megabytesPerSecond: (mib * MIB) / 1e6 / (moved.totalMs / 1000),
      cpuUsPerMib: mib === 0 ? undefined : cost.cpuUs / mib,
      generatorLoad: moved.generatorLoad,
      pssStartMb: megabytesOf(pssStartKib),
      pssBeforeMb: megabytesOf(cost.pssBeforeKib),
      pssGrowthMb: megabytesOf(cost.pssAfterKib - cost.pssBeforeKib),
      peakGrowthMb: megabytesOf(cost.peakGrowthKib),
    },
    errors: moved.failed + (wrong ? 1 : 0),
  };
}

interface Moved {
  readonly bodies: number;
  readonly failed: number;
  readonly totalMs: number;
  readonly generatorLoad: number | undefined;
}

async function byWrk(url: string, { direction, bytes, path }: Case, how: RunHow): Promise<Moved> {
  const request = {
    path: pathOf(path, direction, bytes),
    method: direction === "up" ? "POST" : "GET",
    bodyBytes: direction === "up" ? bytes : 0,
  } as const;
  const report = await runWrk(url, request, CONNECTIONS, how.seconds, how.signal);
  return {
    bodies: report.requests - report.badStatus,
    failed: report.badStatus + report.socketErrors,
    totalMs: report.durationUs / 1000,
    generatorLoad: undefined,
  };
}

function byHand(url: string, { direction, bytes, path }: Case, how: RunHow): Promise<Moved> {
  return moveBodies({
    port: Number(new URL(url).port),
    target: pathOf(path, direction, bytes),
    bytes,
    direction,
    connections: CONNECTIONS,
    seconds: how.seconds,
    deadlineMs: how.seconds * 1000 + 60_000,
    signal: how.signal,
  });
}

const pathOf = (path: string, direction: "up" | "down", bytes: number): string => (direction === "up" ? path : `${path}?bytes=${bytes}`);

/** A chain that answers fast but wrongly must not be measured. */
async function isWrong(url: string, { direction, bytes, path }: Case, signal: AbortSignal): Promise<boolean> {
  const body = Buffer.alloc(bytes, FILL);
  const sent = direction === "up" ? { method: "POST", body } : {};
  const response = await fetch(url + pathOf(path, direction, bytes), { ...sent, signal });
  const answer = Buffer.from(await response.arrayBuffer());
  const right = direction === "up" ? Buffer.from(JSON.stringify({ bytes })) : body;
  return response.status !== 200 || !answer.equals(right);
}

// Many streams of small events at once, as tokens come: what an event costs and how soon the first one is there.
import type { RunningChain } from "../chains/chain.ts";
import { type HeadgateApp, headgateChains } from "../chains/headgate.ts";
import { nodeChain } from "../chains/node-servers.ts";
import { costOf, type FigureLoad, type RunHow } from "../figure-load.ts";
import type { FigureLoadSetting } from "../figure-loads.ts";
import type { FigureTable, Measured } from "../model/figures.ts";
import { CHAIN_TITLES } from "../model/results.ts";
import { megabytesOf, quantile } from "../model/statistics.ts";
import { askStreams } from "./generator.ts";
import { expectedBody, streamHandler } from "./tokens.ts";

const STREAMS = 1000;
const EVENTS = 100;
const RAMP_MS = 500;

/** 1,000 streams with an event each 10 ms are more than the bare server's one core can make: what then happens is a case, too. */
const CASES: Readonly<Record<string, { readonly path: string; readonly eachMs: number }>> = {
  "generator, each 50 ms": { path: "/stream", eachMs: 50 },
  "Response, each 50 ms": { path: "/response", eachMs: 50 },
  "generator, each 10 ms": { path: "/stream", eachMs: 10 },
};

const TABLE: FigureTable = {
  name: "streams",
  title: `${STREAMS} concurrent streams of ${EVENTS} events of 30 bytes`,
  cases: Object.keys(CASES),
  chains: {
    bare: "bare node:http server-sent events, 1 process",
    headgate: "Headgate, 1 bridge + 2 replicas",
    "headgate-before": CHAIN_TITLES["headgate-before"],
  },
  base: "bare",
  columns: [
    { key: "cpuUsPerEvent", title: "CPU/event", unit: "µs", ratio: true },
    { key: "firstP50Ms", title: "first p50", unit: "ms" },
    { key: "firstP99Ms", title: "first p99", unit: "ms", ratio: true },
    { key: "eventsPerSecond", title: "events/s", unit: "/s" },
    { key: "totalMs", title: "total", unit: "ms" },
    { key: "generatorLoad", title: "generator", unit: "" },
    { key: "pssBeforeMb", title: "PSS before", unit: "MB" },
    { key: "pssAfterMb", title: "PSS after", unit: "MB" },
  ],
  targets: [
    { what: "CPU an event to bare, streams", key: "cpuUsPerEvent", chain: "headgate", to: "bare", bound: "atMost", limit: 1.4 },
    { what: "first event p99 to bare, streams", key: "firstP99Ms", chain: "headgate", to: "bare", bound: "atMost", limit: 2 },
    {
      what: "CPU an event to before, streams",
      key: "cpuUsPerEvent",
      chain: "headgate",
      to: "headgate-before",
      bound: "atMost",
      limit: 1.05,
    },
  ],
  note: "The bare server writes what the same handler returns. “generator” is the load generator's own CPU by elapsed time: it must stay well below 1.",
};

const APP: HeadgateApp = {
  backends: [{ name: "streams", handler: streamHandler, config: { numReplicas: 2, maxConcurrentQueries: 2 * STREAMS } }],
  endpoints: [
    { name: "stream", backend: "streams", route: "/stream" },
    { name: "response", backend: "streams", route: "/response" },
  ],
  readyPath: "/stream",
};

export function streamsLoad({ before }: FigureLoadSetting): FigureLoad {
  const chains = new Map([["bare", nodeChain("streams.ts", "/stream")], ...headgateChains(APP, before)]);
  return { table: TABLE, chains, measure };
}

async function measure(chain: RunningChain, how: RunHow): Promise<Measured> {
  const events = how.quick ? 20 : EVENTS;
  const asked = CASES[how.case];
  if (asked === undefined) throw new TypeError(`no case ${how.case}`);
  const { path, eachMs } = asked;
  const wrong = await isWrong(`${chain.url}${path}?count=5&each=1`, how.signal);
  const load = {
    port: Number(new URL(chain.url).port),
    target: `${path}?count=${events}&each=${eachMs}`,
    streams: STREAMS,
    events,
    rampMs: RAMP_MS,
    deadlineMs: 30_000 + 2 * events * eachMs,
    signal: how.signal,
  };
  const { result: seen, ...cost } = await askStreams(load, (run) => costOf(chain, run));
  return {
    values: {
      cpuUsPerEvent: cost.cpuUs / Math.max(1, seen.events),
      firstP50Ms: quantile(seen.firstMs, 0.5),
      firstP99Ms: quantile(seen.firstMs, 0.99),
      eventsPerSecond: seen.events / (seen.totalMs / 1000),
      totalMs: seen.totalMs,
      generatorLoad: seen.generatorLoad,
      pssBeforeMb: megabytesOf(cost.pssBeforeKib),
      pssAfterMb: megabytesOf(cost.pssAfterKib),
    },
    errors: seen.failed + (wrong ? 1 : 0),
  };
}

/** A chain that answers fast but wrongly must not be measured. */
async function isWrong(url: string, signal: AbortSignal): Promise<boolean> {
  const response = await fetch(url, { signal });
  return response.status !== 200 || (await response.text()) !== expectedBody(5);
}

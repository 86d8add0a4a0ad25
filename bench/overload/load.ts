// More load than a backend can take: how much of what it could do is still done in time, and what memory that takes.
import type { RunningChain } from "../chains/chain.ts";
import { type HeadgateApp, headgateChains } from "../chains/headgate.ts";
import { costOf, type FigureLoad, type RunHow } from "../figure-load.ts";
import type { FigureLoadSetting } from "../figure-loads.ts";
import type { FigureTable, Measured } from "../model/figures.ts";
import { CHAIN_TITLES } from "../model/results.ts";
import { megabytesOf, quantile } from "../model/statistics.ts";
import { offer, type Offered } from "./generator.ts";

const REPLICAS = 2;
const CONCURRENT = 2;
const HANDLER_MS = 5;
/** What the backend could do if timers were exact. */
const CAPACITY = (REPLICAS * CONCURRENT * 1000) / HANDLER_MS;
const DEADLINE_MS = 1_000;
const SHORT = "deadline 1 s, shorter than a full queue";
const LONG = "deadline 10 s, longer than a full queue";

const TABLE: FigureTable = {
  name: "overload",
  title: `a handler of ${HANDLER_MS} ms, ${REPLICAS * CONCURRENT} at a time, offered ${CAPACITY}/s and 2 and 5 times that`,
  cases: [SHORT, LONG],
  chains: {
    headgate: "Headgate, 1 bridge + 2 replicas",
    "headgate-before": CHAIN_TITLES["headgate-before"],
  },
  base: "headgate",
  columns: [
    { key: "good1", title: "good/s at 1x", unit: "/s" },
    { key: "good2", title: "at 2x", unit: "/s" },
    { key: "good5", title: "at 5x", unit: "/s" },
    { key: "ofPeak", title: "5x of peak", unit: "x" },
    { key: "goodP50Ms", title: "p50 of good, 5x", unit: "ms" },
    { key: "goodP99Ms", title: "p99", unit: "ms" },
    { key: "refusedP99Ms", title: "p99 of 503, 5x", unit: "ms" },
    { key: "lateAt5", title: "late at 5x", unit: "/s" },
    { key: "pssBeforeMb", title: "PSS before 5x", unit: "MB" },
    { key: "pssAfterMb", title: "PSS after", unit: "MB" },
    { key: "generatorLoad", title: "generator", unit: "" },
  ],
  targets: [{ what: "goodput at 5x offered load, of its peak", key: "ofPeak", chain: "headgate", bound: "atLeast", limit: 0.9 }],
  note: "Good are answers of status 200 within the deadline, counted from when the request was due. Late are those that were answered after it, and 504s.",
};

async function work(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return "done";
}

const backend = (name: string) => ({ name, handler: work, config: { numReplicas: REPLICAS, maxConcurrentQueries: CONCURRENT } });
const APP: HeadgateApp = {
  backends: [backend("short"), backend("long")],
  endpoints: [
    { name: "short", backend: "short", route: "/short", requestTimeoutMs: DEADLINE_MS },
    { name: "long", backend: "long", route: "/long", requestTimeoutMs: 10 * DEADLINE_MS },
  ],
  readyPath: "/short",
};

export function overloadLoad({ before }: FigureLoadSetting): FigureLoad {
  return { table: TABLE, chains: new Map(headgateChains(APP, before)), measure };
}

/** Offers once, twice and five times the capacity, each for `how.seconds`. */
export async function measure(chain: RunningChain, how: RunHow): Promise<Measured> {
  const isShort = how.case === SHORT;
  const asked = (times: number) => ({
    port: Number(new URL(chain.url).port),
    target: isShort ? "/short" : "/long",
    perSecond: times * CAPACITY,
    seconds: how.quick ? 1 : how.seconds,
    deadlineMs: isShort ? DEADLINE_MS : 10 * DEADLINE_MS,
    signal: how.signal,
  });
  const once = await offer(asked(1));
  const twice = await offer(asked(2));
  const { result: five, ...cost } = await costOf(chain, () => offer(asked(5)));
  const good = [once, twice, five].map(perSecond);
  const late = (five.byStatus[0] ?? 0) + (five.byStatus[504] ?? 0);
  return {
    values: {
      good1: good[0],
      good2: good[1],
      good5: good[2],
      ofPeak: perSecond(five) / Math.max(...good),
      goodP50Ms: quantile(five.goodMs, 0.5),
      goodP99Ms: quantile(five.goodMs, 0.99),
      refusedP99Ms: quantile(five.refusedMs, 0.99),
      lateAt5: (late * 1000) / five.elapsedMs,
      pssBeforeMb: megabytesOf(cost.pssBeforeKib),
      pssAfterMb: megabytesOf(cost.pssAfterKib),
      generatorLoad: five.generatorLoad,
    },
    errors: once.failed + twice.failed + five.failed,
  };
}

const perSecond = (offered: Offered): number => (offered.good * 1000) / offered.elapsedMs;

// What batching is worth: a handler that costs 5 ms and 0.1 ms more for each request of its list, offered the same load with and
// without batches.
import type { RunningChain } from "../chains/chain.ts";
import { type HeadgateApp, headgateChains } from "../chains/headgate.ts";
import type { FigureLoad, RunHow } from "../figure-load.ts";
import type { FigureLoadSetting } from "../figure-loads.ts";
import type { FigureTable, Measured } from "../model/figures.ts";
import { CHAIN_TITLES } from "../model/results.ts";
import { quantile } from "../model/statistics.ts";
import { type Offered, offer } from "../overload/generator.ts";

const FIXED_MS = 5;
const EACH_MS = 0.1;
const MAX_BATCH_SIZE = 64;
/** What lists of one come to: 196 requests/s. */
const UNBATCHED = 1000 / (FIXED_MS + EACH_MS);
const RATES = new Map([
  ["2,000/s", 2_000],
  ["3,000/s", 3_000],
  ["4,000/s", 4_000],
]);
const [LOWEST = "", MIDDLE = "", HIGHEST = ""] = RATES.keys();
const DEADLINE_MS = 1_000;

const TABLE: FigureTable = {
  name: "batching",
  title: `a handler that is busy for ${FIXED_MS} ms and ${EACH_MS} ms a request, one replica, with and without batches of at most ${MAX_BATCH_SIZE}`,
  cases: [...RATES.keys()],
  chains: {
    headgate: "Headgate, 1 bridge + 1 replica",
    "headgate-before": CHAIN_TITLES["headgate-before"],
  },
  base: "headgate",
  columns: [
    { key: "unbatched", title: "good/s, lists of one", unit: "/s" },
    { key: "batched", title: "good/s, batches", unit: "/s" },
    { key: "ratio", title: "batches to lists of one", unit: "x" },
    { key: "toModel", title: "to 1000/(5 + 0.1)", unit: "x" },
    { key: "meanSize", title: "mean batch", unit: "" },
    { key: "p50Ms", title: "p50 in batches", unit: "ms" },
    { key: "p99Ms", title: "p99", unit: "ms" },
    { key: "loneMs", title: "p50 of one caller", unit: "ms" },
    { key: "generatorLoad", title: "generator", unit: "" },
  ],
  targets: [
    { what: "goodput in batches to lists of one", key: "ratio", cases: [MIDDLE, HIGHEST], chain: "headgate", bound: "atLeast", limit: 15 },
    {
      what: "goodput in batches, of what is offered",
      key: "ofOffered",
      cases: [LOWEST, MIDDLE],
      chain: "headgate",
      bound: "atLeast",
      limit: 0.95,
    },
  ],
  note:
    `Lists of one come to ${UNBATCHED.toFixed(0)} requests/s at most, so that 15 times that, ${(15 * UNBATCHED).toFixed(0)}/s, cannot be seen at 2,000/s offered: ` +
    "what is offered is then all there is. Good are answers of status 200 within a second, counted from when the request was due.",
};

/** Busy for 5 ms and 0.1 ms a request, as a model that runs on this processor would be. */
function infer(requests: readonly { readonly url: string }[]): readonly unknown[] {
  const seen: { batches: number; items: number } = (Reflect.get(globalThis, "seen") as never) ?? { batches: 0, items: 0 };
  Reflect.set(globalThis, "seen", seen);
  if (requests.some(({ url }) => url.endsWith("?seen"))) return requests.map(() => ({ ...seen }));
  seen.batches++;
  seen.items += requests.length;
  const untilMs = performance.now() + 5 + 0.1 * requests.length;
  while (performance.now() < untilMs) {
    // The work.
  }
  return requests.map(() => "done");
}
infer.acceptsBatches = true as const;

// Lists of one are run one by one: more in the replica would only be late.
const one = { maxConcurrentQueries: 2, maxQueuedRequests: 2_000 };
const many = { maxConcurrentQueries: 1_000, maxQueuedRequests: 2_000 };
const APP: HeadgateApp = {
  backends: [
    { name: "unbatched", handler: infer, config: one },
    { name: "batched", handler: infer, config: { ...many, maxBatchSize: MAX_BATCH_SIZE, batchWaitTimeoutMs: 5 } },
  ],
  endpoints: [
    { name: "unbatched", backend: "unbatched", route: "/unbatched", requestTimeoutMs: DEADLINE_MS },
    { name: "batched", backend: "batched", route: "/batched", requestTimeoutMs: DEADLINE_MS },
  ],
  readyPath: "/batched",
};

export function batchingLoad({ before }: FigureLoadSetting): FigureLoad {
  return { table: TABLE, chains: new Map(headgateChains(APP, before)), measure };
}

/** Offers a rate to lists of one, then to batches, then sends one request after the other. */
export async function measure(chain: RunningChain, how: RunHow): Promise<Measured> {
  const perSecond = RATES.get(how.case) ?? 0;
  const asked = (target: string) => ({
    port: Number(new URL(chain.url).port),
    target,
    perSecond,
    seconds: how.quick ? 1 : how.seconds,
    deadlineMs: DEADLINE_MS,
    signal: how.signal,
  });
  const unbatched = await offer(asked("/unbatched"));
  const before = await seenOf(chain, how.signal);
  const batched = await offer(asked("/batched"));
  const after = await seenOf(chain, how.signal);
  const lone: number[] = [];
  for (let request = 0; request < 20; request++) {
    const fromMs = performance.now();
    await (await fetch(`${chain.url}/batched`, { signal: how.signal })).arrayBuffer();
    lone.push(performance.now() - fromMs);
  }
  const good = goodPerSecond(batched);
  return {
    values: {
      unbatched: goodPerSecond(unbatched),
      batched: good,
      ratio: good / goodPerSecond(unbatched),
      toModel: good / UNBATCHED,
      ofOffered: batched.good / batched.sent,
      meanSize: (after.items - before.items) / Math.max(1, after.batches - before.batches),
      p50Ms: quantile(batched.goodMs, 0.5),
      p99Ms: quantile(batched.goodMs, 0.99),
      loneMs: quantile(lone, 0.5),
      generatorLoad: batched.generatorLoad,
    },
    errors: batched.failed + unbatched.failed,
  };
}

const goodPerSecond = ({ good, elapsedMs }: Offered): number => (good * 1000) / elapsedMs;

async function seenOf(chain: RunningChain, signal: AbortSignal): Promise<{ readonly batches: number; readonly items: number }> {
  const response = await fetch(`${chain.url}/batched?seen`, { signal });
  // As the handler answers.
  return (await response.json()) as { batches: number; items: number };
}

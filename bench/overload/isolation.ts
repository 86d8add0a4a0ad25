// A backend beside one that is in trouble: how much slower it becomes, and whether it fails at all.
import type { RunningChain } from "../chains/chain.ts";
import { type HeadgateApp, headgateChains } from "../chains/headgate.ts";
import type { FigureLoad, RunHow } from "../figure-load.ts";
import type { FigureLoadSetting } from "../figure-loads.ts";
import type { FigureTable, Measured } from "../model/figures.ts";
import { CHAIN_TITLES } from "../model/results.ts";
import { quantile } from "../model/statistics.ts";
import { offer, type Offered } from "./generator.ts";

const FLOOD = "beside a flood of 503s: 2,000/s to a backend that takes 10/s";
const HANG = "beside a handler that never returns, 100/s";
const LOOP = "beside an endless loop in every replica, 100/s";

const TABLE: FigureTable = {
  name: "isolation",
  title: "200 requests/s to a handler of 5 ms, with and without a neighbour in trouble",
  cases: [FLOOD, HANG, LOOP],
  chains: {
    headgate: "Headgate, 1 bridge + 1 replica each",
    "headgate-before": CHAIN_TITLES["headgate-before"],
  },
  base: "headgate",
  columns: [
    { key: "aloneP50Ms", title: "alone p50", unit: "ms" },
    { key: "aloneP99Ms", title: "p99", unit: "ms" },
    { key: "besideP50Ms", title: "beside p50", unit: "ms" },
    { key: "besideP99Ms", title: "p99", unit: "ms" },
    { key: "p99Ratio", title: "p99 beside to alone", unit: "x" },
    { key: "neighbour503", title: "503s of the neighbour", unit: "" },
    { key: "generatorLoad", title: "generator", unit: "" },
  ],
  targets: [
    {
      what: "p99 beside a neighbour in trouble, to alone",
      key: "p99Ratio",
      cases: [FLOOD, HANG],
      chain: "headgate",
      bound: "atMost",
      limit: 1.2,
    },
  ],
  note: "Halves of each run alternate: alone, beside, alone, beside. Errors are answers of the healthy backend other than 200 within a second. An endless loop takes a whole core, which its neighbours feel through the operating system where there are few: it is shown, not judged.",
};

async function work(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return "done";
}

async function slow(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return "done";
}

const hang = (): Promise<never> => new Promise(() => undefined);

/** Hangs from its first request on that says so: before it, the instance could not be seen to be up. */
function loop(request: { readonly url: string }): string {
  while (request.url.includes("forever")) {
    // Nothing in this replica runs any more.
  }
  return "done";
}

const troubled = { maxConcurrentQueries: 1, maxQueuedRequests: 10 };
const APP: HeadgateApp = {
  backends: [
    { name: "well", handler: work },
    { name: "flood", handler: slow, config: troubled },
    { name: "hang", handler: hang, config: troubled },
    { name: "loop", handler: loop, config: troubled },
  ],
  endpoints: [
    { name: "well", backend: "well", route: "/well" },
    { name: "flood", backend: "flood", route: "/flood" },
    { name: "hang", backend: "hang", route: "/hang", requestTimeoutMs: 1_000 },
    { name: "loop", backend: "loop", route: "/loop", requestTimeoutMs: 1_000 },
  ],
  readyPath: "/well",
};

const NEIGHBOURS: Readonly<Record<string, { readonly target: string; readonly perSecond: number }>> = {
  [FLOOD]: { target: "/flood", perSecond: 2_000 },
  [HANG]: { target: "/hang", perSecond: 100 },
  [LOOP]: { target: "/loop?forever", perSecond: 100 },
};

export function isolationLoad({ before }: FigureLoadSetting): FigureLoad {
  return { table: TABLE, chains: new Map(headgateChains(APP, before)), measure };
}

/** Offers the healthy backend its load, alone and beside its neighbour in turn. */
export async function measure(chain: RunningChain, how: RunHow): Promise<Measured> {
  const neighbour = NEIGHBOURS[how.case];
  if (neighbour === undefined) throw new Error(`no such case: ${how.case}`);
  const common = { port: Number(new URL(chain.url).port), seconds: how.quick ? 1 : how.seconds / 2, deadlineMs: 1_000, signal: how.signal };
  const well = (): Promise<Offered> => offer({ ...common, target: "/well", perSecond: 200 });
  const alone: Offered[] = [];
  const beside: Offered[] = [];
  let neighbour503 = 0;
  for (let turn = 0; turn < 2; turn++) {
    alone.push(await well());
    const [own, others] = await Promise.all([well(), offer({ ...common, ...neighbour })]);
    beside.push(own);
    neighbour503 += others.byStatus[503] ?? 0;
  }
  const all = [...alone, ...beside];
  const msOf = (list: readonly Offered[]): number[] => list.flatMap(({ goodMs }) => goodMs);
  const aloneP99Ms = quantile(msOf(alone), 0.99);
  const besideP99Ms = quantile(msOf(beside), 0.99);
  return {
    values: {
      aloneP50Ms: quantile(msOf(alone), 0.5),
      aloneP99Ms,
      besideP50Ms: quantile(msOf(beside), 0.5),
      besideP99Ms,
      p99Ratio: aloneP99Ms === undefined || besideP99Ms === undefined ? undefined : besideP99Ms / aloneP99Ms,
      neighbour503,
      generatorLoad: Math.max(...all.map(({ generatorLoad }) => generatorLoad)),
    },
    errors: all.reduce((sum, { sent, goodMs }) => sum + sent - goodMs.length, 0),
  };
}

// A load with a generator of its own: how it is plugged in, and how its chains run in turn, round after round.
// What it measures and how it is judged stands in its FigureTable; the loads themselves in bench/<name>/load.ts.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RunningChain, StartChain } from "./chains/chain.ts";
import type { Figure, FigureTable, Measured } from "./model/figures.ts";
import { cpuOf, memoryOf, peakRssKib, resetPeaks } from "./processes.ts";

/** How one run is made. */
export interface RunHow {
  readonly chain: string;
  /** One of the table's cases. */
  readonly case: string;
  /** About how long it shall take; a load of a fixed count may take its own time. */
  readonly seconds: number;
  /** A trial: less of everything, so that it ends within a few seconds. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

/** A load that makes its own requests. */
export interface FigureLoad {
  readonly table: FigureTable;
  /** How to start each chain of the table. One that cannot run here is left out. */
  readonly chains: ReadonlyMap<string, StartChain>;
  /** Loads a running chain once. The first run of each chain and case warms up and is thrown away, but in a trial. */
  readonly measure: (chain: RunningChain, how: RunHow) => Promise<Measured>;
}

export interface FigurePlan {
  /** Of the chains that every load has, those to run; undefined: all. A load's own further chains always run. */
  readonly chains: readonly string[] | undefined;
  readonly seconds: number;
  readonly rounds: number;
  readonly quick: boolean;
  readonly directory: string;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

const COMMON_CHAINS = ["bare", "headgate", "headgate-before"];

/** Measures a load: all chains are up the whole time and run in turn, A B C A B C. */
export async function measureLoad(load: FigureLoad, plan: FigurePlan): Promise<readonly Figure[]> {
  const { name, cases } = load.table;
  const { seconds, quick, signal } = plan;
  await using stack = new AsyncDisposableStack();
  const running: { name: string; chain: RunningChain }[] = [];
  const chosen = (chain: string): boolean => plan.chains?.includes(chain) ?? true;
  for (const [chain, start] of load.chains) {
    if (COMMON_CHAINS.includes(chain) && !chosen(chain)) continue;
    plan.progress(`${name}: starting ${chain}`);
    const directory = join(plan.directory, name, chain);
    mkdirSync(directory, { recursive: true });
    running.push({ name: chain, chain: stack.use(await start({ directory, signal })) });
  }
  const figures: Figure[] = [];
  for (const each of cases) {
    // A trial has no time to warm up, and gives no verdict.
    for (let round = quick ? 1 : 0; round <= plan.rounds; round++) {
      for (const { name: chain, chain: server } of running) {
        signal.throwIfAborted();
        plan.progress(`${name}: ${each}, ${round === 0 ? "warming up" : `round ${round}/${plan.rounds}`}: ${chain}`);
        const how = { chain, case: each, seconds: round === 0 ? 1 : seconds, quick: quick || round === 0, signal };
        const measured = await load.measure(server, how);
        if (round > 0) figures.push({ load: name, case: each, chain, round, ...measured });
      }
    }
  }
  return figures;
}

/** What a piece of work cost a chain. */
export interface Cost<T> {
  readonly result: T;
  /** CPU time of all server processes meanwhile, in microseconds; the kernel counts in steps of 10 ms a process. */
  readonly cpuUs: number;
  /** Memory of them together, before and right after. */
  readonly pssBeforeKib: number;
  readonly pssAfterKib: number;
  /** How far the resident memory of each rose above what it was before, summed: they need not have done so at once. */
  readonly peakGrowthKib: number;
}

/** Does some work and reads what it cost the chain's processes. */
export async function costOf<T>(chain: RunningChain, work: () => Promise<T>): Promise<Cost<T>> {
  const pids = await chain.pids();
  const pssBeforeKib = memoryOf(pids).pssKib;
  const peakBeforeKib = resetPeaks(pids);
  const before = cpuOf(pids);
  const result = await work();
  // Read before the status is asked for, which costs the controller.
  const after = cpuOf(pids);
  const cpuUs = [...after].reduce((sum, [pid, us]) => sum + us - (before.get(pid) ?? 0), 0);
  const peakGrowthKib = peakRssKib(pids) - peakBeforeKib;
  return { result, cpuUs, pssBeforeKib, pssAfterKib: memoryOf(pids).pssKib, peakGrowthKib };
}

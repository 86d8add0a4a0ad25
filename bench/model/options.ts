// The command line as typed options. main.ts splits argv; here values are checked, with one clear line for each mistake.
import { err, ok, type Result } from "@headgate/core";
import { FIGURE_LOAD_NAMES, type FigureLoadName, LOADS, type LoadName } from "./loads.ts";
import { CHAIN_TITLES, type ChainName } from "./results.ts";

export interface Options {
  /** Chains to run; undefined: every one whose programs are there. */
  readonly chains: readonly ChainName[] | undefined;
  /** Loads that wrk makes. */
  readonly loads: readonly LoadName[];
  /** Loads with a generator of their own. */
  readonly figureLoads: readonly FigureLoadName[];
  /** Directory of the checkout that the chain headgate-before runs; undefined: no such chain. */
  readonly before: string | undefined;
  readonly quick: boolean;
  readonly connections: readonly number[];
  /** Length of one run, in whole seconds (wrk knows no less). */
  readonly seconds: number;
  readonly rounds: number;
  readonly startFigures: boolean;
}

/** The flags as they stand in argv. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export const HELP = `Measures Headgate beside other ways to the same answer, on this machine's loopback.

  npm run bench -- [flags]

  --chains a,b        of ${Object.keys(CHAIN_TITLES).join(", ")} (default: all whose programs are there)
  --loads a,b         of ${LOADS.map((load) => load.name).join(", ")}, ${FIGURE_LOAD_NAMES.join(", ")} (default: all)
  --before DIR        a further chain, headgate-before: the Headgate of another checkout, its packages installed
  --connections a,b   default 1,64,512; for the loads by wrk
  --seconds N         length of one run, default 5
  --rounds N          alternating rounds, default 5
  --quick             a trial: one second, one round, of the loads by wrk only small at 1 and 64 connections, no start figures
  --no-start          leave out start times and idle memory
  --json FILE         write the whole result as JSON, too
  --envoy PATH        an Envoy binary (or HEADGATE_BENCH_ENVOY; else the one that --setup made)
  --ray-python PATH   a Python with ray[serve] (or HEADGATE_BENCH_RAY_PYTHON; else the one that --setup made)
  --setup a,b         install envoy and/or ray into bench/.cache and end
  --help

Examples
  npm run bench -- --quick
  npm run bench -- --chains bare,headgate --loads small --connections 64 --json /tmp/bench.json
  npm run bench -- --chains bare,headgate --loads small --before ../headgate-main
  npm run bench -- --loads streams,bodies --seconds 2 --rounds 3
  npm run bench -- --setup envoy && npm run bench -- --chains bare,headgate,envoy

The table goes to standard output, progress to standard error.
`;

const CHAIN_NAMES = Object.keys(CHAIN_TITLES).filter((name): name is ChainName => Object.hasOwn(CHAIN_TITLES, name));
const LOAD_NAMES = LOADS.map((load) => load.name);
const QUICK_LOADS: readonly LoadName[] = ["small"];

/** Checks the flags. */
export function parseOptions(flags: Flags): Result<Options, string> {
  const quick = flags["quick"] === true;
  const chains = list("chains", flags["chains"], CHAIN_NAMES, undefined);
  if (!chains.ok) return chains;
  const named = list("loads", flags["loads"], [...LOAD_NAMES, ...FIGURE_LOAD_NAMES], undefined);
  if (!named.ok) return named;
  const before = flags["before"];
  if (before === "") return err("--before needs the directory of another checkout.");
  if (before === undefined && chains.value?.includes("headgate-before")) {
    return err('The chain "headgate-before" needs --before DIR, the directory of another checkout.');
  }
  const seconds = whole("seconds", flags["seconds"], quick ? 1 : 5, 3600);
  if (!seconds.ok) return seconds;
  const rounds = whole("rounds", flags["rounds"], quick ? 1 : 5, 1000);
  if (!rounds.ok) return rounds;
  const connections: number[] = [];
  for (const text of String(flags["connections"] ?? (quick ? "1,64" : "1,64,512")).split(",")) {
    const count = whole("connections", text.trim(), 0, 10_000);
    if (!count.ok) return count;
    connections.push(count.value);
  }
  const loads = LOAD_NAMES.filter((name) => (named.value ?? (quick ? QUICK_LOADS : LOAD_NAMES)).includes(name));
  return ok({
    // Asked for with --before, it runs whatever else is named.
    chains: before === undefined || chains.value === undefined ? chains.value : [...new Set([...chains.value, "headgate-before" as const])],
    loads,
    figureLoads: FIGURE_LOAD_NAMES.filter((name) => named.value?.includes(name) ?? true),
    before: before === undefined ? undefined : String(before),
    quick,
    connections,
    seconds: seconds.value,
    rounds: rounds.value,
    startFigures: !quick && flags["no-start"] !== true && loads.length > 0,
  });
}

function list<T extends string>(
  flag: string,
  value: string | boolean | undefined,
  known: readonly T[],
  otherwise: readonly T[] | undefined,
): Result<readonly T[] | undefined, string> {
  if (value === undefined) return ok(otherwise);
  const chosen: T[] = [];
  for (const text of String(value).split(",")) {
    const found = known.find((name) => name === text.trim());
    if (found === undefined) return err(`--${flag} knows no "${text.trim()}": choose from ${known.join(", ")}.`);
    if (!chosen.includes(found)) chosen.push(found);
  }
  return ok(chosen);
}

function whole(flag: string, value: string | boolean | undefined, otherwise: number, most: number): Result<number, string> {
  if (value === undefined) return ok(otherwise);
  const number = Number(value);
  return Number.isInteger(number) && number >= 1 && number <= most
    ? ok(number)
    : err(`--${flag} must be whole numbers from 1 to ${most}, not "${String(value)}".`);
}

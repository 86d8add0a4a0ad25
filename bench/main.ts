// The bench: wires options, chains and measuring together. The only place here that reads argv, environment and signals.
// The table goes to standard output, progress to standard error.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HeadgateError } from "@headgate/core";
import type { StartChain } from "./chains/chain.ts";
import { choose, groupsOf } from "./chains/choose.ts";
import { type FigurePlan, measureLoad } from "./figure-load.ts";
import { FIGURE_LOADS } from "./figure-loads.ts";
import { measureGroup, type Plan } from "./measure.ts";
import { type Figure, type FigureTable, summariseFigures } from "./model/figures.ts";
import { LOADS } from "./model/loads.ts";
import { toMarkdown } from "./model/markdown.ts";
import { HELP, type Options, parseOptions } from "./model/options.ts";
import { type ChainName, type Sample, summarise } from "./model/results.ts";
import { figureVerdicts, type StartFigures, verdicts } from "./model/targets.ts";
import { envoyBinary, rayPython, setup } from "./setup.ts";
import { wrkVersion } from "./wrk.ts";

const FLAGS = {
  chains: { type: "string" },
  loads: { type: "string" },
  before: { type: "string" },
  connections: { type: "string" },
  seconds: { type: "string" },
  rounds: { type: "string" },
  quick: { type: "boolean" },
  "no-start": { type: "boolean" },
  json: { type: "string" },
  envoy: { type: "string" },
  "ray-python": { type: "string" },
  setup: { type: "string" },
  help: { type: "boolean" },
} as const;

class UsageError extends Error {}

function read(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function run(options: Options, chosen: Map<ChainName, StartChain>, signal: AbortSignal) {
  const directory = mkdtempSync(join(tmpdir(), "headgate-bench-"));
  try {
    const progress = (line: string): void => console.error(line);
    const plan: Plan = {
      ...options,
      loads: LOADS.filter((l) => options.loads.includes(l.name)),
      directory,
      progress,
      signal,
    };
    const samples: Sample[] = [];
    if (plan.loads.length > 0) {
      for (const [group, chains] of groupsOf(chosen)) samples.push(...(await measureGroup(group, chains, plan)));
    }
    const figures = await runFigureLoads(options, { ...plan, chains: options.chains, quick: options.quick });
    let start: StartFigures | undefined;
    if (options.startFigures && chosen.has("headgate")) {
      const { measureStart } = await import("./start-figures.ts");
      start = await measureStart(options.rounds, join(directory, "start"), progress, signal);
    }
    return { samples, start, figures };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What one load with a generator of its own gave. */
interface LoadFigures {
  readonly table: FigureTable;
  readonly figures: readonly Figure[];
}

async function runFigureLoads(options: Options, plan: FigurePlan): Promise<readonly LoadFigures[]> {
  const before = options.before === undefined ? undefined : await (await import("./chains/headgate.ts")).startOf(options.before);
  const measured: LoadFigures[] = [];
  for (const name of options.figureLoads) {
    const make = await FIGURE_LOADS[name]();
    const load = make({ before });
    measured.push({ table: load.table, figures: await measureLoad(load, plan) });
  }
  return measured;
}

async function main(): Promise<void> {
  const flags = read(process.argv.slice(2));
  if (flags.help === true) {
    process.stdout.write(HELP);
    return;
  }
  if (flags.setup !== undefined) {
    for (const name of flags.setup.split(",")) setup(name.trim());
    return;
  }
  const options = parseOptions(flags);
  if (!options.ok) throw new UsageError(options.error);
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => abort.abort());
  const wrk = await wrkVersion(abort.signal);
  const programs = {
    before: options.value.before,
    envoy: envoyBinary(flags.envoy ?? process.env["HEADGATE_BENCH_ENVOY"]),
    python: rayPython(flags["ray-python"] ?? process.env["HEADGATE_BENCH_RAY_PYTHON"]),
  };
  const chosen = choose(options.value.chains, programs);
  if (!chosen.ok) throw new UsageError(chosen.error);
  const { samples, start, figures } = await run(options.value, chosen.value, abort.signal);
  const circumstances = {
    date: new Date().toISOString().slice(0, 16),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "CPU"}, ${(totalmem() / 1e9).toFixed(0)} GB, Linux ${release()}, ${wrk.split(" [")[0]}`,
    node: process.version,
    seconds: options.value.seconds,
    rounds: options.value.rounds,
  };
  const report = {
    circumstances,
    verdicts: [...verdicts(samples, start), ...figures.flatMap((each) => figureVerdicts(each.table, each.figures))],
    rows: summarise(samples),
    start,
    figures: figures.map((each) => ({ table: each.table, rows: summariseFigures(each.table, each.figures) })),
  };
  const runs = { samples, figureRuns: figures.flatMap((each) => each.figures) };
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify({ ...report, ...runs }, null, 2)}\n`);
  process.stdout.write(toMarkdown(report));
}

try {
  await main();
} catch (error) {
  const aborted = error instanceof Error && error.name === "AbortError";
  const expected = aborted || error instanceof HeadgateError || error instanceof UsageError;
  console.error(aborted ? "Stopped." : expected ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

// What a load of its own generator is measured by: its figures, the columns of its table, its targets; and their summary.
// A load describes itself as a FigureTable; nothing is measured here, and requests by wrk stand in results.ts.
import { median, pairedRatio } from "./statistics.ts";

/** What one run of one chain gave. */
export interface Measured {
  /** By the key of a column; a key that no column has goes to the JSON alone. Undefined: there was nothing to measure. */
  readonly values: Readonly<Record<string, number | undefined>>;
  /** What failed: connections, answers that are not the right ones, time-outs. A row with errors is not a result. */
  readonly errors: number;
}

/** One run of one chain in one round. */
export interface Figure extends Measured {
  readonly load: string;
  /** One of the load's cases, such as "64 KiB up". */
  readonly case: string;
  readonly chain: string;
  readonly round: number;
}

export type FigureUnit = "µs" | "ms" | "/s" | "MB/s" | "MB" | "x" | "";

/** One column of a load's table: the median over the rounds. */
export interface Column {
  readonly key: string;
  readonly title: string;
  readonly unit: FigureUnit;
  /** Whether a column "to …" follows it: the ratio to the base chain, paired by round. */
  readonly ratio?: boolean;
}

/** One target of a load. */
export interface FigureTarget {
  readonly what: string;
  /** Key of the value that is judged. */
  readonly key: string;
  /** The cases it is judged in; left out: all. */
  readonly cases?: readonly string[];
  /** The chain that is judged. */
  readonly chain: string;
  /** The chain that it is a ratio to, paired by round; left out: the value itself is judged. */
  readonly to?: string;
  readonly bound: "atMost" | "atLeast";
  readonly limit: number;
}

/** A load as its tables and verdicts need it. */
export interface FigureTable {
  readonly name: string;
  readonly title: string;
  readonly cases: readonly string[];
  /** Title by chain, in the order in which they run. */
  readonly chains: Readonly<Record<string, string>>;
  /** The chain that ratios of the columns are to. */
  readonly base: string;
  readonly columns: readonly Column[];
  readonly targets: readonly FigureTarget[];
  /** What a reader must know: printed below the tables. */
  readonly note?: string;
}

/** One line of a table. */
export interface FigureRow {
  readonly case: string;
  readonly chain: string;
  readonly rounds: number;
  /** Median by the key of a column; undefined where it was not measured. */
  readonly values: Readonly<Record<string, number | undefined>>;
  /** Ratio to the base chain, likewise. */
  readonly ratios: Readonly<Record<string, number | undefined>>;
  readonly errors: number;
}

/** What of the figures belongs to one chain in one case, as round → value. */
function series(figures: readonly Figure[], chain: string, key: string): Map<number, number> {
  const values = new Map<number, number>();
  for (const figure of figures) {
    const value = figure.values[key];
    if (figure.chain === chain && value !== undefined) values.set(figure.round, value);
  }
  return values;
}

/** All rows of a load: case by case, in it chain by chain. */
export function summariseFigures(table: FigureTable, figures: readonly Figure[]): readonly FigureRow[] {
  const rows: FigureRow[] = [];
  for (const name of table.cases) {
    const cell = figures.filter((figure) => figure.load === table.name && figure.case === name);
    for (const chain of Object.keys(table.chains)) {
      const own = cell.filter((figure) => figure.chain === chain);
      if (own.length === 0) continue;
      const each = (value: (key: string) => number | undefined) => Object.fromEntries(table.columns.map(({ key }) => [key, value(key)]));
      rows.push({
        case: name,
        chain,
        rounds: own.length,
        values: each((key) => median([...series(cell, chain, key).values()])),
        ratios: each((key) => pairedRatio(series(cell, chain, key), series(cell, table.base, key))),
        errors: sumOfErrors(own),
      });
    }
  }
  return rows;
}

/** A target with what was measured for it in one case. */
export interface TargetFinding {
  readonly target: FigureTarget;
  readonly case: string;
  readonly measured: number | undefined;
  readonly rounds: number;
  readonly errors: number;
}

/** Every target in each of its cases. */
export function targetFindings(table: FigureTable, figures: readonly Figure[]): readonly TargetFinding[] {
  return table.targets.flatMap((target) =>
    (target.cases ?? table.cases).map((name): TargetFinding => {
      const cell = figures.filter((figure) => figure.load === table.name && figure.case === name);
      const own = series(cell, target.chain, target.key);
      const base = target.to === undefined ? undefined : series(cell, target.to, target.key);
      const judged = cell.filter((figure) => figure.chain === target.chain || figure.chain === target.to);
      return {
        target,
        case: name,
        measured: base === undefined ? median([...own.values()]) : pairedRatio(own, base),
        rounds: base === undefined ? own.size : [...own.keys()].filter((round) => base.has(round)).length,
        errors: sumOfErrors(judged),
      };
    }),
  );
}

function sumOfErrors(figures: readonly Figure[]): number {
  return figures.reduce((sum, figure) => sum + figure.errors, 0);
}

// The report as Markdown: the verdicts first, then one table for each group and load.
import type { Column, FigureRow, FigureTable, FigureUnit } from "./figures.ts";
import { LOADS } from "./loads.ts";
import { CHAIN_TITLES, type Row } from "./results.ts";
import { megabytesOf } from "./statistics.ts";
import type { StartFigures, Verdict } from "./targets.ts";

/** Where and how a run was made. */
export interface Circumstances {
  readonly date: string;
  readonly machine: string;
  readonly node: string;
  readonly seconds: number;
  readonly rounds: number;
}

/** A whole run. */
export interface Report {
  readonly circumstances: Circumstances;
  readonly verdicts: readonly Verdict[];
  readonly rows: readonly Row[];
  readonly start: StartFigures | undefined;
  /** The loads with a generator of their own, in the order in which they ran. */
  readonly figures: readonly { readonly table: FigureTable; readonly rows: readonly FigureRow[] }[];
}

function table(heads: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = `|${"---|".repeat(words)}${"---:|".repeat(heads.length - words)}`;
  return [line(heads), rule, ...rows.map(line)].join("\n");
}

const ratio = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(2)}x`);
const millis = (us: number): string => `${(us / 1000).toFixed(us < 10_000 ? 2 : 0)} ms`;
const megabytes = (kib: number): string => megabytesOf(kib).toFixed(0);

/** Three digits or all before the point. */
function quantity(value: number | undefined, unit: FigureUnit): string {
  if (value === undefined) return "–";
  if (unit === "x") return ratio(value);
  const size = Math.abs(value);
  const number = Number.isInteger(value) || size >= 100 ? value.toFixed(0) : value.toFixed(size >= 10 ? 1 : 2);
  return unit === "" ? number : `${number} ${unit}`;
}

function verdictRow(verdict: Verdict): readonly string[] {
  const { measured, unit } = verdict;
  const shown = quantity(measured, unit);
  const word = verdict.outcome === "not met" ? "**not met**" : verdict.outcome;
  return [verdict.what, verdict.target, shown, word];
}

function loadRow(row: Row): readonly string[] {
  return [
    CHAIN_TITLES[row.chain],
    String(row.connections),
    row.requestsPerSecond.toFixed(0),
    ratio(row.requestsPerSecondRatio),
    millis(row.p50Us),
    millis(row.p99Us),
    `${row.cpuUsPerRequest.toFixed(1)} µs`,
    ratio(row.cpuRatio),
    `${megabytes(row.pssKib)} / ${megabytes(row.rssKib)}`,
    row.errors === 0 ? `0 of ${row.requests}` : `**${row.errors} of ${row.requests}**`,
  ];
}

const LOAD_HEADS = ["chain", "conn.", "req/s", "to bare", "p50", "p99", "CPU/req", "to bare", "PSS / RSS MB", "errors"];

function startTable(start: StartFigures): string {
  const ms = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(0)} ms`);
  const mb = (kib: number | undefined): string => (kib === undefined ? "–" : `${megabytes(kib)} MB`);
  return table(
    ["start and idle", "Headgate", "bare node:http"],
    [
      ["start to the first 200 of an endpoint", ms(start.headgateFirst200Ms), ms(start.bareFirst200Ms)],
      ["start to healthy", ms(start.headgateHealthyMs), "–"],
      ["a further replica ready", ms(start.replicaReadyMs), "–"],
      ["idle, PSS of all processes (2 replicas)", mb(start.idlePssKib), mb(start.bareIdlePssKib)],
      ["idle, RSS of all processes (2 replicas)", mb(start.idleRssKib), "–"],
    ],
  );
}

function figureTable(table_: FigureTable, rows: readonly FigureRow[]): string {
  const { columns, chains, cases, base } = table_;
  const several = cases.length > 1;
  const ratioHead = `to ${base}`;
  const heads = [
    ...(several ? ["case"] : []),
    "chain",
    ...columns.flatMap((column) => (column.ratio === true ? [column.title, ratioHead] : [column.title])),
    "errors",
  ];
  const cells = (row: FigureRow, column: Column): readonly string[] => {
    const shown = quantity(row.values[column.key], column.unit);
    return column.ratio === true ? [shown, ratio(row.ratios[column.key])] : [shown];
  };
  const lines = rows.map((row) => [
    ...(several ? [row.case] : []),
    chains[row.chain] ?? row.chain,
    ...columns.flatMap((column) => cells(row, column)),
    row.errors === 0 ? "0" : `**${row.errors}**`,
  ]);
  return table(heads, lines, several ? 2 : 1);
}

/** The report for people. */
export function toMarkdown(report: Report): string {
  const { circumstances: at } = report;
  const parts = [
    `# Headgate bench, ${at.date}`,
    `${at.machine}; Node ${at.node}; ${at.rounds} alternating round(s) of ${at.seconds} s each; medians, ratios paired by round.`,
    table(["target", "asked", "measured", ""], report.verdicts.map(verdictRow)),
  ];
  if (report.start !== undefined) parts.push(startTable(report.start));
  for (const [group, rows] of Map.groupBy(report.rows, (row) => row.group)) {
    for (const load of LOADS) {
      const own = rows.filter((row) => row.load === load.name).toSorted((a, b) => a.connections - b.connections);
      if (own.length > 0) parts.push(`## ${load.title} (${group})`, table(LOAD_HEADS, own.map(loadRow)));
    }
  }
  for (const { table: own, rows } of report.figures) {
    parts.push(`## ${own.title}`, figureTable(own, rows));
    if (own.note !== undefined) parts.push(own.note);
  }
  return `${parts.join("\n\n")}\n`;
}

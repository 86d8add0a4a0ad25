// What was measured, and the summary of it: one row for each group, chain, load and number of connections.
// A group is a set of chains that ran alternately; ratios are made inside a group only.
import type { LoadName } from "./loads.ts";
import { median, pairedRatio } from "./statistics.ts";
import type { WrkReport } from "./wrk.ts";

export type ChainName = "bare" | "headgate" | "headgate-before" | "grpc" | "envoy" | "ray" | "ray-haproxy";

export const CHAIN_TITLES: Readonly<Record<ChainName, string>> = {
  bare: "bare node:http, 1 process",
  headgate: "Headgate, 1 bridge + 2 replicas",
  "headgate-before": "Headgate of the checkout before",
  grpc: "bridge → grpc-js unary → 2 processes",
  envoy: "Envoy → 2 node:http",
  ray: "Ray Serve, default",
  "ray-haproxy": "Ray Serve, HAProxy",
};

/** One wrk run against one chain. */
export interface Sample {
  readonly group: string;
  readonly chain: ChainName;
  readonly load: LoadName;
  readonly connections: number;
  readonly round: number;
  readonly report: WrkReport;
  /** CPU time of all server processes during the run, in microseconds. */
  readonly cpuUs: number;
  readonly processes: number;
  readonly rssKib: number;
  readonly pssKib: number;
}

/** One line of the table. Ratios are to bare node:http of the same group; undefined where it did not run. */
export interface Row {
  readonly group: string;
  readonly chain: ChainName;
  readonly load: LoadName;
  readonly connections: number;
  readonly rounds: number;
  readonly requestsPerSecond: number;
  readonly requestsPerSecondRatio: number | undefined;
  readonly p50Us: number;
  readonly p50Ratio: number | undefined;
  readonly p99Us: number;
  readonly cpuUsPerRequest: number;
  readonly cpuRatio: number | undefined;
  readonly requests: number;
  readonly errors: number;
  readonly processes: number;
  readonly rssKib: number;
  readonly pssKib: number;
}

export type Metric = "requestsPerSecond" | "p50Us" | "cpuUsPerRequest";

const METRICS: Readonly<Record<Metric, (sample: Sample) => number>> = {
  requestsPerSecond: (sample) => goodRequests(sample) / (sample.report.durationUs / 1e6),
  p50Us: (sample) => sample.report.p50Us,
  cpuUsPerRequest: (sample) => (sample.report.requests === 0 ? 0 : sample.cpuUs / sample.report.requests),
};

function goodRequests(sample: Sample): number {
  return sample.report.requests - sample.report.badStatus;
}

/** The samples of one chain in one cell, as round → value. */
function series(samples: readonly Sample[], chain: ChainName, metric: Metric): Map<number, number> {
  return new Map(samples.filter((s) => s.chain === chain).map((s) => [s.round, METRICS[metric](s)]));
}

const cellOf = (sample: Sample): string => `${sample.group}|${sample.load}|${sample.connections}`;

/** All rows, in the order in which they were first measured. */
export function summarise(samples: readonly Sample[]): readonly Row[] {
  const rows: Row[] = [];
  for (const cell of Map.groupBy(samples, cellOf).values()) {
    for (const [chain, own] of Map.groupBy(cell, (s) => s.chain)) {
      const first = own[0];
      if (first === undefined) continue;
      const mid = (pick: (sample: Sample) => number): number => median(own.map(pick)) ?? 0;
      const ratio = (metric: Metric): number | undefined => pairedRatio(series(cell, chain, metric), series(cell, "bare", metric));
      rows.push({
        group: first.group,
        chain,
        load: first.load,
        connections: first.connections,
        rounds: own.length,
        requestsPerSecond: mid(METRICS.requestsPerSecond),
        requestsPerSecondRatio: ratio("requestsPerSecond"),
        p50Us: mid(METRICS.p50Us),
        p50Ratio: ratio("p50Us"),
        p99Us: mid((s) => s.report.p99Us),
        cpuUsPerRequest: mid(METRICS.cpuUsPerRequest),
        cpuRatio: ratio("cpuUsPerRequest"),
        requests: own.reduce((sum, s) => sum + s.report.requests, 0),
        errors: errorsOf(own),
        processes: mid((s) => s.processes),
        rssKib: mid((s) => s.rssKib),
        pssKib: mid((s) => s.pssKib),
      });
    }
  }
  return rows;
}

/** What one chain is beside another in one cell. */
export interface Comparison {
  readonly ratio: number;
  /** Rounds that both ran. */
  readonly rounds: number;
  /** Requests of either that failed. */
  readonly errors: number;
}

/** Compares two chains in one cell, in the first group in which both ran; undefined where none has both. */
export function compare(
  samples: readonly Sample[],
  metric: Metric,
  of: ChainName,
  to: ChainName,
  load: LoadName,
  connections: number,
): Comparison | undefined {
  const cells = samples.filter((s) => s.load === load && s.connections === connections);
  for (const group of Map.groupBy(cells, (s) => s.group).values()) {
    const own = series(group, of, metric);
    const other = series(group, to, metric);
    const ratio = pairedRatio(own, other);
    if (ratio === undefined) continue;
    const rounds = [...own.keys()].filter((round) => other.has(round)).length;
    return { ratio, rounds, errors: errorsOf(group.filter((s) => s.chain === of || s.chain === to)) };
  }
  return undefined;
}

function errorsOf(samples: readonly Sample[]): number {
  return samples.reduce((sum, s) => sum + s.report.badStatus + s.report.socketErrors, 0);
}

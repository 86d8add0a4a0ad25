// The targets of the platform and whether a run met them. Nothing is called met that was not measured, that was
// measured with failing requests, or in so few rounds that two identical servers would differ as much.
// Targets of the loads with a generator of their own stand with them; they are judged here by the same rules.
import { type Figure, type FigureTable, type FigureUnit, type TargetFinding, targetFindings } from "./figures.ts";
import type { LoadName } from "./loads.ts";
import { type ChainName, type Comparison, compare, type Metric, type Sample } from "./results.ts";
import { megabytesOf } from "./statistics.ts";

/** Figures of starting and idling; each undefined where it was not measured. */
export interface StartFigures {
  /** Starts of each; the figures are their medians. */
  readonly rounds: number;
  /** `headgate start` on a state directory that holds a backend and an endpoint, until that endpoint answers 200. */
  readonly headgateFirst200Ms: number | undefined;
  /** The same, until `/-/healthz` answers 200. */
  readonly headgateHealthyMs: number | undefined;
  /** `node server.js` until it answers 200. */
  readonly bareFirst200Ms: number | undefined;
  /** One more replica asked for, until it is ready. */
  readonly replicaReadyMs: number | undefined;
  /** Memory of an idle instance with two replicas, all processes. */
  readonly idlePssKib: number | undefined;
  readonly idleRssKib: number | undefined;
  /** Memory of an idle bare server. */
  readonly bareIdlePssKib: number | undefined;
}

export interface Verdict {
  readonly what: string;
  readonly target: string;
  readonly measured: number | undefined;
  readonly unit: FigureUnit;
  readonly outcome: Outcome;
}

export type Outcome = "met" | "not met" | "not measured" | "requests failed" | "too few rounds";

/** One round of one second showed two identical servers 1.3x apart at one connection. */
const LEAST_ROUNDS = 3;

interface RatioTarget {
  readonly what: string;
  readonly metric: Metric;
  readonly to: ChainName;
  readonly load: LoadName;
  readonly connections: number;
  readonly bound: "atMost" | "atLeast";
  readonly limit: number;
}

const ALL: readonly LoadName[] = ["small", "echo64k", "post4k"];

const RATIO_TARGETS: readonly RatioTarget[] = [
  ...ALL.map(
    (load): RatioTarget => ({
      what: "CPU a request to bare",
      metric: "cpuUsPerRequest",
      to: "bare",
      load,
      connections: 64,
      bound: "atMost",
      limit: 1.4,
    }),
  ),
  ...ALL.map(
    (load): RatioTarget => ({
      what: "requests/s to bare",
      metric: "requestsPerSecond",
      to: "bare",
      load,
      connections: 64,
      bound: "atLeast",
      limit: 1,
    }),
  ),
  rps("envoy", 2.5),
  rps("ray-haproxy", 8),
  rps("ray", 80),
  p50("bare", 3),
  p50("envoy", 1),
];

/** Where a change is judged by what it costs, if the Headgate before it ran there, too. */
const BEFORE_CELLS: readonly Pick<RatioTarget, "load" | "connections">[] = [
  { load: "small", connections: 1 },
  { load: "small", connections: 64 },
  { load: "small", connections: 512 },
  { load: "echo64k", connections: 64 },
  { load: "post4k", connections: 64 },
];

const BEFORE_TARGETS: readonly RatioTarget[] = BEFORE_CELLS.flatMap((cell): readonly RatioTarget[] => [
  { ...cell, to: "headgate-before", what: "CPU a request to before", metric: "cpuUsPerRequest", bound: "atMost", limit: 1.05 },
  { ...cell, to: "headgate-before", what: "requests/s to before", metric: "requestsPerSecond", bound: "atLeast", limit: 0.95 },
]);

function rps(to: ChainName, limit: number): RatioTarget {
  const what = `requests/s to ${to}`;
  return { what, metric: "requestsPerSecond", to, load: "small", connections: 64, bound: "atLeast", limit };
}

function p50(to: ChainName, limit: number): RatioTarget {
  return { what: `p50 to ${to}`, metric: "p50Us", to, load: "small", connections: 1, bound: "atMost", limit };
}

/** Every target with what was measured for it. */
export function verdicts(samples: readonly Sample[], start: StartFigures | undefined): readonly Verdict[] {
  const ranBefore = samples.filter((sample) => sample.chain === "headgate-before");
  const before = BEFORE_TARGETS.filter((t) => ranBefore.some((s) => s.load === t.load && s.connections === t.connections));
  const ratios = [...RATIO_TARGETS, ...before].map((target): Verdict => {
    const found = compare(samples, target.metric, "headgate", target.to, target.load, target.connections);
    const count = target.connections === 1 ? "1 connection" : `${target.connections} connections`;
    return {
      what: `${target.what}, ${target.load}, ${count}`,
      target: `${sign(target.bound)} ${target.limit}x`,
      measured: found?.ratio,
      unit: "x",
      outcome: judge(target, found?.ratio, found),
    };
  });
  if (samples.length === 0 && start === undefined) return [];
  const idlePssMb = start?.idlePssKib === undefined ? undefined : megabytesOf(start.idlePssKib);
  return [
    ...ratios,
    below("`headgate start` to the first 200 of an endpoint", 1500, "ms", start?.headgateFirst200Ms, start?.rounds),
    below("a further replica ready", 250, "ms", start?.replicaReadyMs, start?.rounds),
    below("idle instance, 2 replicas, PSS of all processes", 300, "MB", idlePssMb, start?.rounds),
  ];
}

/** The verdicts of a load with a generator of its own. Targets to a chain that did not run at all are left out. */
export function figureVerdicts(table: FigureTable, figures: readonly Figure[]): readonly Verdict[] {
  const ran = new Set(figures.filter((figure) => figure.load === table.name).map((figure) => figure.chain));
  const judged = targetFindings(table, figures).filter(({ target }) => target.to === undefined || ran.has(target.to));
  return judged.map((finding): Verdict => {
    const { target, measured } = finding;
    const unit = target.to === undefined ? (table.columns.find(({ key }) => key === target.key)?.unit ?? "") : "x";
    return {
      what: table.cases.length === 1 ? target.what : `${target.what}, ${finding.case}`,
      target: `${sign(target.bound)} ${target.limit}${unit === "x" ? "x" : ` ${unit}`}`.trim(),
      measured,
      unit,
      outcome: judge(target, measured, finding),
    };
  });
}

const sign = (bound: "atMost" | "atLeast"): string => (bound === "atMost" ? "≤" : "≥");

function judge(
  target: Pick<RatioTarget, "bound" | "limit">,
  measured: number | undefined,
  found: Pick<Comparison | TargetFinding, "rounds" | "errors"> | undefined,
): Outcome {
  if (measured === undefined || found === undefined) return "not measured";
  if (found.errors > 0) return "requests failed";
  if (found.rounds < LEAST_ROUNDS) return "too few rounds";
  const met = target.bound === "atMost" ? measured <= target.limit : measured >= target.limit;
  return met ? "met" : "not met";
}

function below(what: string, limit: number, unit: "ms" | "MB", measured: number | undefined, rounds = 0): Verdict {
  return { what, target: `< ${limit} ${unit}`, measured, unit, outcome: judgeBelow(measured, limit, rounds) };
}

function judgeBelow(measured: number | undefined, limit: number, rounds: number): Outcome {
  if (measured === undefined) return "not measured";
  if (rounds < LEAST_ROUNDS) return "too few rounds";
  return measured < limit ? "met" : "not met";
}

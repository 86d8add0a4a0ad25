// Medians, paired ratios, and how verdicts follow from samples.
import { expect, test } from "@jest/globals";
import { compare, type Sample, summarise } from "./results.ts";
import { median, pairedRatio } from "./statistics.ts";
import { verdicts } from "./targets.ts";

function sample(over: Partial<Sample>, requests: number, cpuUs: number, bad = 0): Sample {
  return {
    group: "main",
    chain: "bare",
    load: "small",
    connections: 64,
    round: 1,
    report: { requests, durationUs: 1_000_000, p50Us: 100, p99Us: 200, badStatus: bad, socketErrors: 0 },
    cpuUs,
    processes: 1,
    rssKib: 10,
    pssKib: 5,
    ...over,
  };
}

test("the median of an even number of values lies between the two in the middle, of none there is none", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeUndefined();
});

test("ratios are made round by round, so that a machine that slows down does not count", () => {
  const values = new Map([
    [1, 50],
    [2, 5],
    [3, 7],
  ]);
  const base = new Map([
    [1, 100],
    [2, 10],
  ]);
  expect(pairedRatio(values, base)).toBe(0.5);
  expect(pairedRatio(values, new Map())).toBeUndefined();
});

test("requests with a bad status do not count as served, and are shown", () => {
  const [row] = summarise([sample({}, 1000, 9000, 400)]);
  expect(row).toMatchObject({ requestsPerSecond: 600, errors: 400, requests: 1000, cpuUsPerRequest: 9 });
});

test("chains are compared inside a group only", () => {
  const samples = [
    sample({}, 1000, 1),
    sample({ group: "beside ray", chain: "ray" }, 10, 1),
    sample({ group: "beside ray", chain: "headgate" }, 900, 1),
  ];
  expect(compare(samples, "requestsPerSecond", "headgate", "ray", "small", 64)).toEqual({
    ratio: 90,
    rounds: 1,
    errors: 0,
  });
  expect(compare(samples, "requestsPerSecond", "headgate", "bare", "small", 64)).toBeUndefined();
});

function outcomes(rounds: number, bad = 0): Map<string, string> {
  const samples = Array.from({ length: rounds }, (_, at) => [
    sample({ round: at + 1 }, 1000, 10_000),
    sample({ round: at + 1, chain: "headgate" }, 1100, 22_000, bad),
  ]).flat();
  return new Map(verdicts(samples, undefined).map((v) => [v.what, v.outcome]));
}

const RPS = "requests/s to bare, small, 64 connections";

test("a target is met, not met, or not measured", () => {
  const seen = outcomes(3);
  expect(seen.get(RPS)).toBe("met");
  expect(seen.get("CPU a request to bare, small, 64 connections")).toBe("not met");
  expect(seen.get("requests/s to envoy, small, 64 connections")).toBe("not measured");
  expect(seen.get("idle instance, 2 replicas, PSS of all processes")).toBe("not measured");
});

test("what a change costs is judged where the Headgate before it ran", () => {
  const samples = [1, 2, 3].flatMap((round) => [
    sample({ round, chain: "headgate" }, 1000, 11_000),
    sample({ round, chain: "headgate-before" }, 1000, 10_000),
  ]);
  const seen = verdicts(samples, undefined).filter(({ what }) => what.includes("before"));
  expect(seen.map(({ what, outcome }) => [what, outcome])).toEqual([
    ["CPU a request to before, small, 64 connections", "not met"],
    ["requests/s to before, small, 64 connections", "met"],
  ]);
});

test("no verdict comes from a trial of few rounds, nor from a run with failing requests", () => {
  expect(outcomes(2).get(RPS)).toBe("too few rounds");
  expect(outcomes(3, 1).get(RPS)).toBe("requests failed");
});

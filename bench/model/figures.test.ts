// Rows, ratios and verdicts of the loads with a generator of their own.
import { expect, test } from "@jest/globals";
import { type Figure, type FigureTable, summariseFigures } from "./figures.ts";
import { figureVerdicts } from "./targets.ts";

const TABLE: FigureTable = {
  name: "copies",
  title: "Copies",
  cases: ["small", "large"],
  chains: { bare: "bare", headgate: "Headgate", "headgate-before": "before" },
  base: "bare",
  columns: [{ key: "cpuUs", title: "CPU", unit: "µs", ratio: true }],
  targets: [
    { what: "CPU to bare", key: "cpuUs", chain: "headgate", to: "bare", bound: "atMost", limit: 1.4 },
    { what: "CPU to before", key: "cpuUs", chain: "headgate", to: "headgate-before", bound: "atMost", limit: 1.05 },
    { what: "CPU", key: "cpuUs", cases: ["small"], chain: "headgate", bound: "atMost", limit: 20 },
  ],
};

/** Rounds in which the machine slows down, and Headgate takes twice what bare does. */
function rounds(count: number, errors = 0): readonly Figure[] {
  return Array.from({ length: count }, (_, at) => at + 1).flatMap((round): Figure[] => [
    { load: "copies", case: "small", chain: "bare", round, values: { cpuUs: 10 * round }, errors: 0 },
    { load: "copies", case: "small", chain: "headgate", round, values: { cpuUs: 20 * round }, errors },
  ]);
}

test("a row has the medians, and ratios that are made inside a round", () => {
  const rows = summariseFigures(TABLE, [...rounds(3), ...rounds(1).map((figure) => ({ ...figure, load: "other" }))]);
  expect(rows.map(({ chain, values, ratios }) => [chain, values["cpuUs"], ratios["cpuUs"]])).toEqual([
    ["bare", 20, 1],
    ["headgate", 40, 2],
  ]);
});

const outcomes = (figures: readonly Figure[]) =>
  figureVerdicts(TABLE, figures).map(({ what, measured, outcome }) => [what, measured, outcome]);

test("a target is judged in each of its cases, one to a chain that did not run not at all", () => {
  expect(outcomes(rounds(3))).toEqual([
    ["CPU to bare, small", 2, "not met"],
    ["CPU to bare, large", undefined, "not measured"],
    ["CPU, small", 40, "not met"],
  ]);
});

test("no verdict comes from few rounds, nor from runs with errors of either chain", () => {
  expect(outcomes(rounds(2))[0]).toEqual(["CPU to bare, small", 2, "too few rounds"]);
  expect(outcomes(rounds(3, 1))[0]).toEqual(["CPU to bare, small", 2, "requests failed"]);
});

test("what was not to be measured makes no row wrong", () => {
  const [row] = summariseFigures(TABLE, [
    { load: "copies", case: "small", chain: "bare", round: 1, values: { cpuUs: undefined }, errors: 0 },
  ]);
  expect(row?.values["cpuUs"]).toBeUndefined();
});

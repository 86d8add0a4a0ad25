// docs/errors.md and docs/limits.md say what the tables say: every row stands there, and nothing else does.
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { FAULTS, LIMITS } from "./index.ts";

/** The rows of all tables of a page whose first cell is a name in backticks. */
function rowsOf(page: string): string[][] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), "utf8");
  return text.split("\n").flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    const name = /^`(\w+)`$/.exec(cells[1] ?? "")?.[1];
    return name === undefined ? [] : [[name, ...cells.slice(2, -1)]];
  });
}

test("docs/errors.md has every fault once, with its HTTP status, gRPC status and whether a repeat can help", () => {
  const said = rowsOf("errors.md").map(([code, http, grpc, retryable]) => ({
    code,
    http: Number(http),
    grpc,
    retryable: retryable === "yes",
  }));
  const held = Object.entries(FAULTS).map(([code, { http, grpc, retryable }]) => ({ code, http, grpc, retryable }));
  const byCode = (a: { readonly code: string | undefined }, b: { readonly code: string | undefined }): number =>
    String(a.code).localeCompare(String(b.code));
  expect(said.sort(byCode)).toEqual(held.sort(byCode));
});

test("docs/errors.md says of every fault what it means and what to do", () => {
  for (const [code, , , , meaning = "", remedy = ""] of rowsOf("errors.md")) {
    expect({ code, meaning: meaning.length > 15, remedy: remedy.length > 10 }).toEqual({ code, meaning: true, remedy: true });
  }
});

test("docs/limits.md has every limit once, with its value", () => {
  const said = rowsOf("limits.md").map(([name, value]) => [name, Number(value)]);
  expect(said).toHaveLength(Object.keys(LIMITS).length);
  expect(Object.fromEntries(said)).toEqual(LIMITS);
});

test("docs/limits.md gives the unit that the name of a limit ends in, and what happens at it", () => {
  const unitOf = (name: string): string =>
    name.endsWith("Bytes") ? "bytes" : name.endsWith("Ms") ? "ms" : name.endsWith("Percent") ? "%" : name.endsWith("S") ? "s" : "count";
  for (const [name = "", , unit, , effect = "", origin = ""] of rowsOf("limits.md")) {
    expect({ name, unit, effect: effect !== "", origin: origin !== "" }).toEqual({ name, unit: unitOf(name), effect: true, origin: true });
  }
});

// docs/errors.md and docs/limits.md say what the tables say: every row stands there, and nothing else does.
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { FAULTS, LIMITS, PASSED_ON, isFaultCode } from "./index.ts";

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

test("docs/lifecycle.md has an exit for every fault that a request can meet, and for no other", () => {
  const errors = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  const groups = errors.split(/^## /m).filter((group) => group.startsWith("What a request can meet"));
  const met = groups.flatMap((group) => [...group.matchAll(/^\| `(\w+)`/gm)].map(([, code]) => code ?? ""));
  const page = readFileSync(new URL("../../docs/lifecycle.md", import.meta.url), "utf8");
  const exits = page.split("\n").flatMap((line) => (/^\| \d/.test(line) ? (line.split("|").at(-2) ?? "") : []));
  const named = (text: string): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, code]) => code ?? "");
  expect(groups.length).toBe(2);
  expect([...new Set(exits.flatMap(named))].sort()).toEqual([...new Set(met)].sort());
  const below = page.slice(page.indexOf("**Calls below.**"), page.indexOf(". `replica_busy` and"));
  expect(named(below).sort()).toEqual([...PASSED_ON].sort());
  // Nor does the text beside the table name a fault that is none of a request's.
  for (const code of named(page)) if (isFaultCode(code)) expect(met).toContain(code);
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

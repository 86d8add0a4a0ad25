// Reads what bench/load.lua prints at the end of a wrk run: one line of JSON behind a marker.
// wrk's own text report is not read: it rounds, and it hides percentiles behind units.
import { err, ok, type Result } from "@headgate/core";

/** What one wrk run saw. */
export interface WrkReport {
  readonly requests: number;
  readonly durationUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Answers with a status of 400 or more. */
  readonly badStatus: number;
  /** Connections that failed to open, read or write, and requests that timed out. */
  readonly socketErrors: number;
}

const MARKER = "headgate-bench ";

const FIELDS = ["requests", "durationUs", "p50Us", "p99Us", "badStatus", "socketErrors"] as const;

/** Finds and reads the report line in wrk's standard output. */
export function parseWrk(output: string): Result<WrkReport, string> {
  const line = output.split("\n").find((text) => text.startsWith(MARKER));
  if (line === undefined) return err("wrk printed no report: it ended early, or its script failed.");
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.slice(MARKER.length));
  } catch {
    return err(`wrk's report line is not JSON: ${line}`);
  }
  const values = new Map<string, unknown>(parsed !== null && typeof parsed === "object" ? Object.entries(parsed) : []);
  const numbers: Record<(typeof FIELDS)[number], number> = {
    requests: 0,
    durationUs: 0,
    p50Us: 0,
    p99Us: 0,
    badStatus: 0,
    socketErrors: 0,
  };
  for (const field of FIELDS) {
    const value = values.get(field);
    if (typeof value !== "number" || !Number.isFinite(value)) return err(`wrk's report has no number "${field}": ${line}`);
    numbers[field] = value;
  }
  return ok(numbers);
}

// Adds up what scripts/jest-count-reporter.mjs leaves behind: one line a run, "passed failed pending".
import { existsSync, readFileSync } from "node:fs";

/** Tests that passed and failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** The sum of all runs in a file; nothing where there is none. */
export function readCounts(file: string): Counts {
  let passed = 0;
  let failed = 0;
  if (!existsSync(file)) return { passed, failed };
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [good = 0, bad = 0] = line.split(" ").map(Number);
    passed += good;
    failed += bad;
  }
  return { passed, failed };
}

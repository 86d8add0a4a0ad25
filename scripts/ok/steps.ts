// The checks of `npm run ok`, quickest first: what each is called, what it proves, and the commands that are it.
// Commands find their tools on PATH, which scripts/run.mjs has set.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** One check. */
export interface Step {
  readonly name: string;
  /** What it proves, in a few words. */
  readonly about: string;
  /** Program and arguments; all must end with exit code 0. */
  readonly commands: readonly (readonly [string, ...string[]])[];
}

const JEST = ["node", "--experimental-vm-modules", "--disable-warning=ExperimentalWarning", "node_modules/jest/bin/jest.js"] as const;

export const STEPS: readonly Step[] = [
  {
    name: "format",
    about: "files are formatted (npm run format mends it)",
    commands: [
      ["biome", "format", "--max-diagnostics=20"],
      ["buf", "format", "--diff", "--exit-code"],
    ],
  },
  { name: "lint-fast", about: "biome's rules", commands: [["biome", "lint", "--error-on-warnings"]] },
  { name: "lint-types", about: "oxlint's rules, with types", commands: [["oxlint", "--type-aware", "--deny-warnings"]] },
  { name: "types", about: "TypeScript", commands: [["tsc", "--noEmit", "-p", "."]] },
  {
    name: "imports",
    about: "rooms import lower rooms, through their exports, without cycles",
    commands: [["node", "scripts/check/run.ts", "imports"]],
  },
  { name: "purity", about: "core/ and src/model/ are pure", commands: [["node", "scripts/check/run.ts", "purity"]] },
  { name: "unused", about: "no file, export or dependency is unused or undeclared", commands: [["knip"]] },
  { name: "proto-lint", about: "buf's rules for the contracts", commands: [["buf", "lint"]] },
  { name: "proto-breaking", about: "the contracts break no peer of main's", commands: [["node", "scripts/check/breaking.ts"]] },
  { name: "proto-fresh", about: "proto/gen is what the contracts make", commands: [["node", "scripts/check/gen-fresh.ts"]] },
  {
    name: "h2spec",
    about: "HTTP/2 is no worse than bare Node's",
    commands: [["node", "scripts/check/h2spec.ts"]],
  },
  {
    name: "slow-clients",
    about: "a thousand slow callers do no harm to another",
    commands: [["node", "scripts/check/slow-clients.ts"]],
  },
  { name: "tests", about: "the suite", commands: [[...JEST]] },
];

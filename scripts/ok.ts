// `npm run ok`: every check that a change must pass, one line each, the output of those that fail, and a last line
// "N passed, N failed" that adds steps and tests. Names of steps as arguments run these alone; --skip NAME leaves one out.
// Counts that an earlier test run left in HEADGATE_TEST_COUNTS are added. No check is written here: see steps.ts.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Counts, readCounts } from "./ok/counts.ts";
import { ROOT, STEPS, type Step } from "./ok/steps.ts";

interface Outcome {
  readonly passed: boolean;
  readonly output: string;
}

/** Runs the commands of a step one after another until one fails. */
async function runStep(step: Step, env: NodeJS.ProcessEnv): Promise<Outcome> {
  let output = "";
  for (const [command, ...args] of step.commands) {
    const code = await new Promise<number>((resolve) => {
      const child = spawn(command, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"], shell: process.platform === "win32" });
      child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
      child.on("error", (error) => {
        output += `${command}: ${error.message}\n`;
        resolve(127);
      });
      child.on("close", (status) => resolve(status ?? 1));
    });
    if (code !== 0) return { passed: false, output };
  }
  return { passed: true, output };
}

const HELP = `Every check that a change must pass, one line each, and "N passed, N failed" over checks and tests.

  npm run ok                       all of them
  npm run ok -- types imports      these alone
  npm run ok -- --skip tests       all but this one

${STEPS.map(({ name, about }) => `  ${name.padEnd(15)} ${about}`).join("\n")}
`;

function readArguments(): { readonly skip: readonly string[]; readonly only: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      options: { skip: { type: "string", multiple: true, default: [] }, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    const unknown = [...positionals, ...values.skip].find((name) => !STEPS.some((step) => step.name === name));
    if (unknown !== undefined) throw new Error(`no step "${unknown}"; there are: ${STEPS.map((step) => step.name).join(", ")}`);
    return { skip: values.skip, only: positionals };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

const { skip, only } = readArguments();
const wanted = STEPS.filter(({ name }) => (only.length === 0 || only.includes(name)) && !skip.includes(name));

const scratch = mkdtempSync(join(tmpdir(), "headgate-ok-"));
const countsFile = process.env.HEADGATE_TEST_COUNTS ?? join(scratch, "counts");
let passed = 0;
let failed = 0;
try {
  for (const step of wanted) {
    const started = performance.now();
    const { passed: good, output } = await runStep(step, { ...process.env, HEADGATE_TEST_COUNTS: countsFile });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (good) passed++;
    else failed++;
    process.stdout.write(`${good ? "✓" : "✗"} ${step.name.padEnd(15)} ${seconds.padStart(6)} s  ${step.about}\n`);
    // What a step has to say although it passed, such as why it had nothing to compare with.
    const note = output.split("\n").filter((line) => line.startsWith("note: "));
    process.stdout.write(good ? note.map((line) => `  ${line}\n`).join("") : `${output.trimEnd()}\n\n`);
  }
  const tests: Counts = readCounts(countsFile);
  process.stdout.write(`${passed + tests.passed} passed, ${failed + tests.failed} failed\n`);
  process.exitCode = failed + tests.failed === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

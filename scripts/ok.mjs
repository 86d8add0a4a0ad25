// Everything that must hold before a commit: `npm run ok`, all of it, or `node scripts/ok.mjs <step…>`, some of it.
// Each step prints its name, ✓ or ✗ and its time, and on failure what it said. The last line adds up the steps and the
// tests: `N passed, N failed`. What a step checks stands in its tool's own config, not here.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), "headgate-ok-"));
const countsFile = join(scratch, "counts");

/** Runs one program; resolves to whether it succeeded and all that it said. */
function run(command, ...words) {
  return new Promise((done) => {
    const child = spawn(command, words, {
      cwd: root,
      env: { ...process.env, HEADGATE_TEST_COUNTS: countsFile },
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    const said = [];
    child.stdout.on("data", (chunk) => said.push(chunk));
    child.stderr.on("data", (chunk) => said.push(chunk));
    child.on("error", (error) => done({ ok: false, output: `${command} could not be started: ${error.message}` }));
    child.on("close", (code) => done({ ok: code === 0, output: Buffer.concat(said).toString() }));
  });
}

/** The newest commit of main's history that has contracts to compare with, or why there is none. */
async function contractsBefore() {
  if (!existsSync(join(root, ".git"))) return { skip: "no git history here to compare with" };
  const found = await run("git", "log", "-1", "--format=%H", "HEAD", "--", "proto/headgate");
  const commit = found.output.trim();
  if (!found.ok || commit === "") return { skip: "no commit here has contracts to compare with" };
  return { commit };
}

async function breaking() {
  const before = await contractsBefore();
  if (before.skip !== undefined) return { ok: true, output: "", skipped: before.skip };
  return run("buf", "breaking", "--against", `.git#ref=${before.commit}`);
}

async function fresh() {
  const made = await run("node", "scripts/gen.mjs", scratch);
  if (!made.ok) return made;
  const compared = await run("git", "diff", "--no-index", "--stat", "proto/gen", join(scratch, "proto/gen"));
  return compared.ok ? compared : { ok: false, output: `${compared.output}proto/gen is not what proto/ says: run \`npm run gen\`\n` };
}

const jest = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning", "node_modules/jest/bin/jest.js", "--ci"];

const STEPS = {
  format: () => run("biome", "ci", "--linter-enabled=false", "--assist-enabled=false"),
  "lint-fast": () => run("biome", "lint", "--error-on-warnings"),
  "lint-types": () => run("oxlint", "--type-aware", "--deny-warnings"),
  types: () => run("tsc", "--noEmit", "-p", "."),
  imports: () => run("node", "scripts/check/run.ts", "imports"),
  purity: () => run("node", "scripts/check/run.ts", "purity"),
  unused: () => run("knip", "--no-progress"),
  "proto-lint": () => run("buf", "lint"),
  "proto-breaking": breaking,
  "proto-fresh": fresh,
  tests: () => run("node", ...jest),
};

/** Passed and failed tests of the run, as the reporter wrote them. */
function testCounts() {
  if (!existsSync(countsFile)) return [0, 0];
  const rows = readFileSync(countsFile, "utf8").trim().split("\n").map((line) => line.split(" ").map(Number));
  return rows.reduce(([passed, failed], row) => [passed + (row[0] ?? 0), failed + (row[1] ?? 0)], [0, 0]);
}

async function main(names) {
  const unknown = names.filter((name) => !Object.hasOwn(STEPS, name));
  if (unknown.length > 0) {
    process.stderr.write(`no such step: ${unknown.join(", ")}; the steps are ${Object.keys(STEPS).join(", ")}\n`);
    return 2;
  }
  let passed = 0;
  let failed = 0;
  for (const name of names.length > 0 ? names : Object.keys(STEPS)) {
    const started = performance.now();
    const result = await STEPS[name]();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${result.ok ? "✓" : "✗"} ${name.padEnd(15)} ${seconds.padStart(6)} s${result.skipped ? `  skipped: ${result.skipped}` : ""}\n`);
    if (!result.ok) process.stdout.write(`${result.output.trimEnd()}\n`);
    if (result.ok && result.skipped === undefined) passed++;
    if (!result.ok) failed++;
  }
  const [testsPassed, testsFailed] = testCounts();
  process.stdout.write(`${passed + testsPassed} passed, ${failed + testsFailed} failed\n`);
  return failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

// Runs a command of this checkout on any machine that has Node 18 or newer and npm: installs what package-lock.json names
// if that has not been done, then starts the command with the pinned Node first on PATH.
// Plain JavaScript without dependencies, because it runs before there are any. It knows no command by name.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 18;
const INSTALL = ["install", "--no-save", "--loglevel=error", "--no-fund", "--no-audit"];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");
const stamp = join(root, "node_modules", ".headgate-stamp");
const onWindows = process.platform === "win32";

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** Changes whenever an install could have another result. */
function wanted() {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\0`);
  for (const folder of [".", ...manifest.workspaces]) hash.update(readFileSync(join(root, folder, "package.json"))).update("\0");
  return hash.update(readFileSync(join(root, "package-lock.json"))).digest("hex");
}

/** What the last install was made for; empty where there was none. */
function installed() {
  try {
    return readFileSync(stamp, "utf8").trim();
  } catch {
    return "";
  }
}

/** Runs a program to its end and resolves to its exit code; signals go on to it, and it is waited for. */
function run(command, args, options) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "inherit", shell: onWindows, ...options });
    // A terminal sends SIGINT to the child as well; this process only has to outlive it. The others come to us alone.
    const ignore = () => {};
    const pass = (signal) => child.kill(signal);
    process.on("SIGINT", ignore);
    process.on("SIGTERM", pass);
    process.on("SIGHUP", pass);
    // The shell between npm and this process keeps SIGTERM to itself; that it has gone is all that is seen of it.
    const parent = process.ppid;
    const orphaned = setInterval(() => {
      if (process.ppid === parent) return;
      // Once: a second signal would cut the drain short.
      clearInterval(orphaned);
      child.kill("SIGTERM");
    }, 250);
    child.on("error", (error) => {
      clearInterval(orphaned);
      process.stderr.write(`cannot run ${command}: ${error.message}\n`);
      resolve(127);
    });
    child.on("exit", (code, signal) => {
      clearInterval(orphaned);
      process.off("SIGINT", ignore);
      process.off("SIGTERM", pass);
      process.off("SIGHUP", pass);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

const nodeMajor = Number(process.versions.node.split(".")[0]);
if (nodeMajor < OLDEST_NODE) {
  fail(
    `Headgate needs Node ${OLDEST_NODE} or newer to install itself, and this is Node ${process.versions.node}: install a newer one from https://nodejs.org.`,
  );
}

const [command, ...args] = process.argv.slice(2);
if (command === undefined) fail("usage: node scripts/run.mjs COMMAND [ARGUMENT]…");

const hash = wanted();
if (installed() !== hash) {
  process.stderr.write("installing dependencies (once, about 20 s)…\n");
  // npm's own lines go to standard error, so that a command's standard output stays its own.
  const code = await run("npm", INSTALL, { cwd: root, stdio: ["ignore", 2, 2] });
  if (code !== 0) fail(`npm install ended with exit code ${code}: its lines above say why; run this command again after mending it.`);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${hash}\n`);
}

// There is no pinned Node for every platform: elsewhere a Node of the user's own does, if it is new enough.
if (!existsSync(join(bin, onWindows ? "node.cmd" : "node")) && nodeMajor < 24) {
  fail(
    `there is no packaged Node for ${process.platform}-${process.arch}, and this is Node ${process.versions.node}: install Node 24 or newer.`,
  );
}
process.exitCode = await run(command, args, { env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` } });

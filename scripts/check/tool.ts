// Programs that checks need and npm does not bring: found in .cache/bin or on PATH, or missed with a sentence that says what to do.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

/** Where a program is. Ends this process where it is nowhere. */
export function tool(name: string, install: string): string {
  const places = [join(ROOT, ".cache", "bin"), ...(process.env.PATH ?? "").split(delimiter)];
  const found = places.map((place) => join(place, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  process.stdout.write(`${name} is not installed: ${install}, or run scripts/ci-tools.sh, which installs all that these checks need\n`);
  process.exit(1);
}

/** Runs a program to its end, which comes after `withinMs` at the latest. Resolves to what it printed. */
export function runTool(path: string, args: readonly string[], withinMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stdout.on("data", (piece) => (text += String(piece)));
    child.stderr.on("data", (piece) => (text += String(piece)));
    const late = setTimeout(() => child.kill("SIGKILL"), withinMs);
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(late);
      resolve(text);
    });
  });
}

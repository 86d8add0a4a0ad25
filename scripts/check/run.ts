// Runs the house rules over the checkout: `node scripts/check/run.ts imports|purity`. Prints one line a problem.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RoomManifest, importProblems } from "./imports.ts";
import { mustBePure, purityProblems } from "./purity.ts";
import { type Problem, readSources } from "./source.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function readJson(path: string): Record<string, unknown> {
  // A package.json is an object; what is in it is checked where it is read.
  return JSON.parse(readFileSync(join(root, path), "utf8")) as Record<string, unknown>;
}

function manifests(): RoomManifest[] {
  const { workspaces } = readJson("package.json");
  const rooms: readonly unknown[] = Array.isArray(workspaces) ? workspaces : [];
  return rooms.map((room) => {
    const { name, exports } = readJson(`${String(room)}/package.json`);
    return { room: String(room), name: String(name), exports: Object.keys(exports ?? {}) };
  });
}

function check(rule: string | undefined): { readonly problems: Problem[]; readonly files: number } {
  const sources = readSources(root);
  if (rule === "imports") return { problems: importProblems(sources, manifests()), files: sources.length };
  if (rule === "purity") {
    const pure = sources.filter(({ path }) => mustBePure(path));
    return { problems: pure.flatMap(purityProblems), files: pure.length };
  }
  throw new Error("usage: node scripts/check/run.ts imports|purity");
}

const { problems, files } = check(process.argv[2]);
for (const { path, line, message } of problems) process.stdout.write(`${path}:${line}: ${message}\n`);
process.stdout.write(`${files} files, ${problems.length} problems\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

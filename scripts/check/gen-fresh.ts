// Generates proto/gen anew beside the committed one and compares them byte for byte.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../ok/steps.ts";

/** Contents of all files below a folder, by relative path. */
function contents(folder: string): ReadonlyMap<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), readFileSync(path)];
    }),
  );
}

const scratch = mkdtempSync(join(tmpdir(), "headgate-gen-"));
try {
  const generated = spawnSync(process.execPath, ["scripts/gen.mjs", scratch], { cwd: ROOT, stdio: "inherit" });
  if (generated.status !== 0) throw new Error("the contracts cannot be generated");
  const committed = contents(join(ROOT, "proto/gen"));
  const fresh = contents(join(scratch, "proto/gen"));
  const stale = [...new Set([...committed.keys(), ...fresh.keys()])].filter((path) => {
    const [before, after] = [committed.get(path), fresh.get(path)];
    return before === undefined || after === undefined || !before.equals(after);
  });
  for (const path of stale.sort()) process.stdout.write(`proto/gen/${path} is not what the contracts make: run npm run gen\n`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

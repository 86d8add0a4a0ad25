// Compares the contracts with those of the last commit on main that changed them: nothing that a peer of that commit
// relies on may have gone (buf's FILE rules). Without such a commit there is nothing to compare with, and it says so.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../ok/steps.ts";

function git(...args: string[]): string {
  const { status, stdout } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? stdout.trim() : "";
}

/** The commit to compare with; empty where there is no history. */
function baseline(): string {
  for (const ref of ["origin/main", "main", "HEAD"]) {
    const commit = git("rev-list", "-1", ref, "--", "proto/headgate");
    if (commit !== "") return commit;
  }
  return "";
}

const commit = baseline();
if (commit === "") {
  process.stdout.write("note: skipped, this checkout has no git history with proto/headgate to compare with\n");
} else {
  const scratch = mkdtempSync(join(tmpdir(), "headgate-breaking-"));
  try {
    const before = join(scratch, "before.tar");
    const archived = spawnSync("git", ["archive", "-o", before, commit, "buf.yaml", "proto"], { cwd: ROOT, stdio: "inherit" });
    if (archived.status !== 0) throw new Error(`git archive of ${commit} failed`);
    const compared = spawnSync("buf", ["breaking", "--against", before], {
      cwd: ROOT,
      stdio: "inherit",
      shell: process.platform === "win32",
    });
    if (compared.status !== 0) process.stdout.write(`the contracts break those of commit ${commit.slice(0, 12)}\n`);
    process.exitCode = compared.status ?? 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

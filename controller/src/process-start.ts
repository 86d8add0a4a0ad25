// When a process was started, as the operating system tells it: a pid alone may name another process by now.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** An opaque text that stays the same for a process's life; null: there is no such process, or it has ended already. */
export function processStart(pid: number): string | null {
  if (process.platform === "linux") return fromProc(pid);
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || null;
  } catch {
    return null;
  }
}

function fromProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in brackets and may hold anything; field 3 is the state, field 22 the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

// Reads the text of /proc/<pid>/stat, status and smaps_rollup. No files here: processes.ts reads them.
import { err, ok, type Result } from "@headgate/core";

/** What of a process's stat line is used. */
export interface ProcessStat {
  readonly parentPid: number;
  /** User and system time, in clock ticks. */
  readonly cpuTicks: number;
  /** When it started, in clock ticks since boot: with the pid it names a process for good. */
  readonly startTicks: number;
}

/** Memory of a process, in KiB. */
export interface ProcessMemory {
  readonly rssKib: number;
  /** Resident pages, each divided by the number of processes that share it. */
  readonly pssKib: number;
}

/** Reads one stat line. The program's name may hold spaces and brackets: fields count from the last ")". */
export function parseStat(text: string): Result<ProcessStat, string> {
  const fields = text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(/\s+/);
  // Numbered as in proc(5), whose third field stands first here.
  const field = (number: number): number => Number(fields[number - 3]);
  const stat = { parentPid: field(4), cpuTicks: field(14) + field(15), startTicks: field(22) };
  return Object.values(stat).every(Number.isInteger) ? ok(stat) : err(`Not a stat line: ${text.slice(0, 80)}`);
}

/** Reads smaps_rollup. */
export function parseRollup(text: string): Result<ProcessMemory, string> {
  const rss = /^Rss:\s+(\d+) kB$/m.exec(text)?.[1];
  const pss = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  if (rss === undefined || pss === undefined) return err("Rss or Pss is missing in smaps_rollup.");
  return ok({ rssKib: Number(rss), pssKib: Number(pss) });
}

/** Reads the peak of resident memory out of a process's status, in KiB; undefined where it has none. */
export function parsePeak(text: string): number | undefined {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1];
  return peak === undefined ? undefined : Number(peak);
}

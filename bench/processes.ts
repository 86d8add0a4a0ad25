// Starts the processes of a chain, ends exactly those, and reads what they cost from /proc.
// Nothing is ever ended by name: a process is known by its pid and start time, or by an environment mark of our own.
import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fault, HeadgateError } from "@headgate/core";
import { parsePeak, parseRollup, parseStat, type ProcessStat } from "./model/proc.ts";

/** Microseconds of one clock tick: Linux reports 100 a second on every machine of today (`getconf CLK_TCK`). */
const TICK_US = 10_000;

/** A process that we started. */
export interface Started extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Rejects when the process ends before it is asked to. */
  readonly ended: Promise<never>;
}

export interface Spawn {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** File for standard output and standard error. */
  readonly log: string;
}

/** Starts a process; its disposal closes its standard input, asks, and at last forces it to end. */
export function startProcess(how: Spawn): Started {
  const log = openSync(how.log, "a");
  const child = spawn(how.command, how.args, {
    stdio: ["pipe", log, log],
    env: { ...process.env, ...how.env },
    ...(how.cwd === undefined ? {} : { cwd: how.cwd }),
  });
  const ended = new Promise<never>((_resolve, reject) => {
    const fail = (what: string): void =>
      reject(new HeadgateError(fault("start_failed", `${how.command} ${what}. Its last words: ${lastLines(how.log)}`)));
    child.once("error", (error) => fail(`cannot be started (${error.message})`));
    child.once("exit", (code, signal) => fail(`ended early with ${signal ?? `code ${code}`}`));
  });
  // Whoever waits for the process races with this promise; when nobody waits, an end is no crash of ours.
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    child,
    ended,
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      child.kill("SIGTERM");
      if (!(await exited(child, 5000))) child.kill("SIGKILL");
      await exited(child, 5000);
    },
  };
}

async function exited(child: ChildProcess, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += 20) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return true;
    await sleep(20);
  }
  return false;
}

function lastLines(path: string): string {
  return readFileSync(path, "utf8").trim().split("\n").slice(-4).join(" / ").slice(-600) || "(none)";
}

/** Waits until a URL answers 200; answers the milliseconds that it took. */
export async function until200(url: string, withinMs: number, ended: Promise<never>, signal: AbortSignal): Promise<number> {
  const from = performance.now();
  while (performance.now() - from < withinMs) {
    signal.throwIfAborted();
    const status = await Promise.race([ended, statusOf(url, signal)]);
    if (status === 200) return performance.now() - from;
    await sleep(4);
  }
  throw new HeadgateError(fault("start_failed", `${url} did not answer 200 within ${withinMs} ms.`));
}

async function statusOf(url: string, signal: AbortSignal): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0; // Not listening yet, or not answering: the caller asks again until its time is up.
  }
}

/** The stat of a process; undefined when it is gone. */
export function statOf(pid: number): ProcessStat | undefined {
  const text = readProc(pid, "stat");
  const stat = text === undefined ? undefined : parseStat(text);
  return stat?.ok ? stat.value : undefined;
}

/** CPU time of processes so far, by pid, in microseconds. */
export function cpuOf(pids: readonly number[]): Map<number, number> {
  return new Map(pids.map((pid) => [pid, (statOf(pid)?.cpuTicks ?? 0) * TICK_US]));
}

/** Memory of processes together. */
export function memoryOf(pids: readonly number[]): { rssKib: number; pssKib: number } {
  const sum = { rssKib: 0, pssKib: 0 };
  for (const pid of pids) {
    const text = readProc(pid, "smaps_rollup");
    const memory = text === undefined ? undefined : parseRollup(text);
    if (memory?.ok) {
      sum.rssKib += memory.value.rssKib;
      sum.pssKib += memory.value.pssKib;
    }
  }
  return sum;
}

/** Peaks of resident memory since the last reset, summed, in KiB. */
export function peakRssKib(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (parsePeak(readProc(pid, "status") ?? "") ?? 0), 0);
}

/** Sets the peaks to what is resident at present, and answers their sum in KiB. */
export function resetPeaks(pids: readonly number[]): number {
  for (const pid of pids) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    } catch {
      // Gone meanwhile; or a kernel without it, where the peak is that of the whole life.
    }
  }
  return peakRssKib(pids);
}

/** Every process whose environment holds this mark: a tree that makes daemons cannot be followed by parents. */
export function markedPids(mark: string): readonly number[] {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => readProc(pid, "environ")?.split("\0").includes(mark) === true);
}

/** Ends every marked process, by pid; first by asking. */
export async function endMarked(mark: string): Promise<void> {
  for (const [signal, waits] of [
    ["SIGTERM", 50],
    ["SIGKILL", 50],
  ] as const) {
    for (let i = 0; i < waits; i++) {
      const pids = markedPids(mark);
      if (pids.length === 0) return;
      if (i === 0) for (const pid of pids) tryKill(pid, signal);
      await sleep(100);
    }
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone meanwhile, which is what was wanted.
  }
}

function readProc(pid: number, file: "stat" | "status" | "smaps_rollup" | "environ"): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined; // Gone, or another user's: not one of ours.
  }
}

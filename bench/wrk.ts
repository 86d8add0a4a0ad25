// Runs wrk once: one thread, so that on a small machine the load does not take the servers' cores.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fault, HeadgateError } from "@headgate/core";
import type { Load } from "./model/loads.ts";
import { parseWrk, type WrkReport } from "./model/wrk.ts";

const SCRIPT = join(import.meta.dirname, "load.lua");

const MISSING = "wrk is not installed: it makes the load. Install it (Debian and Ubuntu: apt-get install wrk) and try again.";

/** What wrk sends, again and again. */
export type WrkRequest = Pick<Load, "path" | "method" | "bodyBytes">;

/** Loads a URL for some seconds. */
export async function runWrk(url: string, load: WrkRequest, connections: number, seconds: number, signal: AbortSignal): Promise<WrkReport> {
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", SCRIPT, `${url}${load.path}`];
  const output = await run(args, { BENCH_METHOD: load.method, BENCH_BODY_BYTES: String(load.bodyBytes) }, signal);
  const report = parseWrk(output);
  if (!report.ok) throw new HeadgateError(fault("internal", `${report.error} It said: ${output.slice(0, 400)}`));
  return report.value;
}

/** wrk's version line; throws where wrk is missing. */
export async function wrkVersion(signal: AbortSignal): Promise<string> {
  return (await run(["--version"], {}, signal)).split("\n", 1)[0] ?? "wrk";
}

async function run(args: readonly string[], env: Record<string, string>, signal: AbortSignal): Promise<string> {
  const child = spawn("wrk", args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env }, signal });
  const failed = new Promise<never>((_resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new HeadgateError(fault("start_failed", MISSING)) : error),
    );
  });
  const [out, errors] = await Promise.race([failed, Promise.all([text(child.stdout), text(child.stderr)])]);
  return out + errors;
}

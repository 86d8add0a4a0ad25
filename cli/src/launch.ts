// Starts a controller process and waits until it serves or says why it cannot. What the controller does with its
// settings, ports and state directory is its own affair; what is done with a running one stands in start.ts.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { HeadgateError, fault, isFaultCode } from "@headgate/core";

/** How an instance is started; what is left out comes from the environment's HEADGATE_… or has its default. */
export interface LaunchOptions {
  /** Address to serve HTTP on; default 127.0.0.1. */
  readonly httpHost?: string | undefined;
  /** Port of HTTP; 0: any free one; default 8000. */
  readonly httpPort?: number | undefined;
  /** Port of HTTP/2 without TLS, by prior knowledge; 0: any free one; default: not served. */
  readonly h2cPort?: number | undefined;
  /** Port of HTTP/1.1 and HTTP/2 over TLS; 0: any free one; default: not served. Needs `tlsCert` and `tlsKey`. */
  readonly httpsPort?: number | undefined;
  /** PEM file of the certificate for HTTPS, with those between it and its authority; read again when it changes. */
  readonly tlsCert?: string | undefined;
  /** PEM file of the certificate's private key; read again when it changes. */
  readonly tlsKey?: string | undefined;
  /** Port of the control plane; 0: any free one; default 8001. */
  readonly controlPort?: number | undefined;
  /** Port of the admin HTTP; 0: any free one; default 8002. */
  readonly adminPort?: number | undefined;
  /** Directory of the instance's state; default ".headgate". */
  readonly stateDir?: string | undefined;
  /** Directory at which relative module paths start; default: the current one. */
  readonly root?: string | undefined;
  /** Number of HTTP bridge processes; default 1. */
  readonly bridges?: number | undefined;
  /** Replica processes kept ready for the next start or reload; default 0. */
  readonly spares?: number | undefined;
  /** Whether the instance outlives this program; default false. */
  readonly detached?: boolean | undefined;
  /** Ends the wait and with it the start. */
  readonly signal?: AbortSignal | undefined;
}

/** What a controller says of itself when it serves. */
export interface ReadyInstance {
  readonly pid: number;
  readonly controlAddress: string;
  readonly httpUrl: string;
  readonly h2cUrl: string | null;
  readonly httpsUrl: string | null;
  readonly adminUrl: string;
}

/** A controller that serves. */
export interface LaunchedController extends ReadyInstance {
  readonly stateDir: string;
  /** Resolves when its process has ended: with its exit code, null where a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Lets it go on without holding this program. */
  readonly release: () => void;
}

const OPTION_NAMES = new Set([
  "httpHost",
  "httpPort",
  "h2cPort",
  "httpsPort",
  "tlsCert",
  "tlsKey",
  "controlPort",
  "adminPort",
  "stateDir",
  "root",
  "bridges",
  "spares",
  "detached",
  "signal",
]);

/** The controller's command line for these options. */
export function controllerFlags(options: LaunchOptions, stateDir: string, root: string): readonly string[] {
  const flags: string[] = ["--state-dir", stateDir, "--root", root];
  const add = (flag: string, value: string | number | undefined): void => {
    if (value !== undefined) flags.push(flag, String(value));
  };
  add("--http-host", options.httpHost);
  add("--http-port", options.httpPort);
  add("--h2c-port", options.h2cPort);
  add("--https-port", options.httpsPort);
  add("--tls-cert", options.tlsCert);
  add("--tls-key", options.tlsKey);
  add("--control-port", options.controlPort);
  add("--admin-port", options.adminPort);
  add("--bridges", options.bridges);
  add("--spares", options.spares);
  if (options.detached !== true) flags.push("--lifeline");
  return flags;
}

/** Starts a controller. `onProgress` hears what it does meanwhile. Rejects with the controller's own fault. */
export async function launchController(
  options: LaunchOptions,
  surroundings: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
  onProgress: (text: string) => void = () => undefined,
): Promise<LaunchedController> {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name)) {
      throw new HeadgateError(
        fault("unknown_field", `start has no option "${name}"; its options are ${[...OPTION_NAMES].join(", ")}`, { field: name }),
      );
    }
  }
  options.signal?.throwIfAborted();
  const { env, cwd } = surroundings;
  const stateDir = resolve(cwd, options.stateDir ?? (env.HEADGATE_STATE_DIR || ".headgate"));
  const root = resolve(cwd, options.root ?? (env.HEADGATE_ROOT || "."));
  // Relative to this program, as the controller runs in the root.
  const file = (given: string | undefined, fromEnv: string | undefined): string | undefined => {
    const path = given ?? (fromEnv || undefined);
    return path === undefined ? undefined : resolve(cwd, path);
  };
  const logFile = join(stateDir, "logs", "controller.log");
  const log = await openLog(stateDir, logFile);
  const { size: logStart } = await log.stat();
  const mains = createRequire(import.meta.url);
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      mains.resolve("@headgate/controller/main"),
      ...controllerFlags(
        { ...options, tlsCert: file(options.tlsCert, env.HEADGATE_TLS_CERT), tlsKey: file(options.tlsKey, env.HEADGATE_TLS_KEY) },
        stateDir,
        root,
      ),
      "--replica-main",
      mains.resolve("@headgate/replica/main"),
      "--bridge-main",
      mains.resolve("@headgate/http-bridge/main"),
    ],
    {
      cwd: root,
      // Its own process group: Ctrl-C in this program's terminal reaches it through the lifeline, not as a signal.
      detached: true,
      env: { ...env, HEADGATE_READY_FD: "3", NODE_COMPILE_CACHE: join(stateDir, "cache") },
      stdio: [options.detached === true ? "ignore" : "pipe", log.fd, log.fd, "pipe"],
    },
  );
  const ended = new Promise<number | null>((done) => child.once("exit", (code) => done(code)).once("error", () => done(null)));
  const abort = (): void => void child.kill("SIGTERM");
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    // The fourth pipe above is one that this side reads.
    const ready = await firstWord(child.stdio[3] as Readable, onProgress);
    options.signal?.throwIfAborted();
    if (ready === undefined) {
      await ended;
      throw new HeadgateError(fault("start_failed", `the controller ended before it served${await lastWords(logFile, logStart)}`));
    }
    const release = (): void => {
      child.unref();
      child.stdin?.destroy();
    };
    return { ...ready, stateDir, ended, release };
  } catch (error) {
    child.stdin?.destroy();
    child.kill("SIGTERM");
    child.unref();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", abort);
    child.stdio[3]?.destroy();
    await log.close();
  }
}

async function openLog(stateDir: string, logFile: string) {
  try {
    await makeDirectory(join(stateDir, "logs"));
    return await open(logFile, "a", 0o600);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HeadgateError(
      fault("state_dir_unusable", `the state directory ${stateDir} cannot be written (${reason}); choose another with --state-dir`),
      { cause },
    );
  }
}

/** Step by step: Node's own recursion never ends in file systems such as /proc, where a directory that is there takes none. */
async function makeDirectory(path: string): Promise<void> {
  if (existsSync(path)) return;
  if (dirname(path) !== path) await makeDirectory(dirname(path));
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    // Another start may have made it meanwhile.
    if (!existsSync(path)) throw error;
  });
}

/** The controller's ready word; undefined where it ended without one. Rejects with its fault. */
async function firstWord(pipe: Readable, onProgress: (text: string) => void): Promise<ReadyInstance | undefined> {
  for await (const line of createInterface({ input: pipe, crlfDelay: Number.POSITIVE_INFINITY })) {
    // One JSON object a line, written by our own controller.
    const word = JSON.parse(line) as { ready?: ReadyInstance; fault?: Record<string, unknown>; progress?: string };
    if (word.progress !== undefined) onProgress(word.progress);
    if (word.ready !== undefined) return word.ready;
    if (word.fault !== undefined) {
      const code = String(word.fault.code);
      const details = Object.entries(word.fault.details ?? {}).map(([name, value]) => [name, String(value)]);
      throw new HeadgateError(
        fault(
          isFaultCode(code) ? code : "start_failed",
          String(word.fault.message),
          Object.fromEntries(details),
          Number(word.fault.retryAfterMs ?? 0),
        ),
      );
    }
  }
  return undefined;
}

/** What a controller that died wrote last. */
async function lastWords(logFile: string, start: number): Promise<string> {
  const text = (await readFile(logFile).catch(() => Buffer.alloc(0))).subarray(start).toString().trim();
  const line = text
    .split("\n")
    .findLast((candidate) => /error/i.test(candidate))
    ?.trim();
  return line === undefined ? `; see ${logFile}` : `: ${line.slice(0, 300)} (see ${logFile})`;
}

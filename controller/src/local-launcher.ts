// Processes on this machine: no shell, an environment by allow-list, output to a log file, a process group of their own so
// that they outlive the controller. Replicas can be started ahead: everything loaded, waiting for their boot.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { HeadgateError, fault } from "@headgate/core";
import type { Exit, LaunchSpec, Launcher, ManagedProcess } from "./launcher.ts";
import { processStart } from "./process-start.ts";

/** What of the controller's environment its processes see. */
const ALLOWED = /^(?:PATH|HOME|TMPDIR|LANG|LC_[A-Z]+|TZ|NODE_ENV|NODE_EXTRA_CA_CERTS|USER|LOGNAME|SHELL|TERM|SystemRoot|TEMP|TMP)$/;
/** How often an adopted process, which is no child of ours, is looked at. */
const LOOK_MS = 250;
/** The descriptor on which a boot lies. */
const BOOT_FD = 3;
/**
 * V8's room in a process that serves requests, in MiB; taken under load alone. Bodies lie outside of its heap and have a limit of
 * their own there, which is low: a heap of a few MiB would be collected whole every hundred requests. The third flag lets them
 * count against the heap's limit (docs/performance.md).
 */
const NODE_FLAGS = ["--initial-old-space-size=128", "--max-semi-space-size=32", "--external-memory-accounted-in-global-limit"];

/** Where things are. */
export interface LocalLauncherConfig {
  readonly replicaMain: string;
  readonly bridgeMain: string;
  /** Working directory of what is started. */
  readonly root: string;
  readonly logDir: string;
  readonly cacheDir: string;
  /** Replica processes that are started ahead of their use. */
  readonly spares: number;
}

/** Starts local processes. */
export class LocalLauncher implements Launcher {
  readonly #config: LocalLauncherConfig;
  readonly #spares: { readonly child: ChildProcess; readonly log: string }[] = [];
  #closed = false;
  #refill: NodeJS.Timeout | null = null;
  #number = 0;

  constructor(config: LocalLauncherConfig) {
    this.#config = config;
  }

  launch(spec: LaunchSpec): ManagedProcess {
    const child = this.#takeSpare(spec) ?? this.#spawn(spec.program, spec.env, spec.id);
    give(child, spec.boot);
    // Refilled a little later: whoever waits for this process has the machine first.
    this.#refill ??= setTimeout(() => this.fillSpares(), 300).unref();
    return managed(child);
  }

  adopt(pid: number, start: string): ManagedProcess | null {
    if (pid <= 0 || processStart(pid) !== start) return null;
    const exited = new Promise<Exit>((resolve) => {
      const timer = setInterval(() => {
        if (processStart(pid) === start) return;
        clearInterval(timer);
        resolve({ code: null, signal: null });
      }, LOOK_MS);
    });
    return { pid, start, exited, kill: (signal) => signalTo(pid, start, signal) };
  }

  /** Starts replicas ahead of their use. */
  fillSpares(): void {
    this.#refill = null;
    while (!this.#closed && this.#spares.length < this.#config.spares) {
      const log = `spare-${process.pid}-${this.#number++}`;
      const child = this.#spawn("replica", {}, log);
      const spare = { child, log };
      this.#spares.push(spare);
      child.on("exit", () => {
        const at = this.#spares.indexOf(spare);
        if (at >= 0) this.#spares.splice(at, 1);
      });
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#refill !== null) clearTimeout(this.#refill);
    for (const { child } of this.#spares) child.kill("SIGKILL");
  }

  #takeSpare(spec: LaunchSpec): ChildProcess | null {
    // An environment cannot be changed afterwards.
    if (spec.program !== "replica" || Object.keys(spec.env).length > 0) return null;
    const spare = this.#spares.shift();
    if (spare === undefined) return null;
    const { logDir } = this.#config;
    renameSync(join(logDir, `${spare.log}.log`), join(logDir, `${spec.id}.log`));
    return spare.child;
  }

  #spawn(program: LaunchSpec["program"], env: Readonly<Record<string, string>>, id: string): ChildProcess {
    const { replicaMain, bridgeMain, root, logDir, cacheDir } = this.#config;
    const [file, ...args] =
      program === "replica"
        ? [process.execPath, ...NODE_FLAGS, replicaMain]
        : program === "bridge"
          ? [process.execPath, ...NODE_FLAGS, bridgeMain]
          : program.command;
    const allowed = Object.fromEntries(Object.entries(process.env).filter(([name]) => ALLOWED.test(name)));
    const log = openSync(join(logDir, `${id}.log`), "a", 0o600);
    try {
      const child = spawn(file ?? "", args, {
        cwd: root,
        detached: true,
        stdio: ["ignore", log, log, "pipe"],
        env: { ...allowed, NODE_COMPILE_CACHE: cacheDir, ...env, HEADGATE_BOOT_FD: String(BOOT_FD) },
      });
      child.unref();
      return child;
    } finally {
      closeSync(log);
    }
  }
}

function give(child: ChildProcess, boot: unknown): void {
  // Opened as a pipe above, so that it is writable.
  const pipe = child.stdio[BOOT_FD] as Writable | null;
  // A process that has ended already tells so by its exit.
  pipe?.on("error", () => undefined);
  pipe?.end(JSON.stringify(boot));
}

function managed(child: ChildProcess): ManagedProcess {
  const exited = new Promise<Exit>((resolve) => {
    child.on("exit", (code, signal) => resolve({ code, signal }));
    child.on("error", () => resolve({ code: 127, signal: null }));
  });
  const { pid } = child;
  if (pid === undefined) {
    throw new HeadgateError(
      fault("replica_exited", `${JSON.stringify(child.spawnfile)} cannot be started: is it installed and executable?`),
    );
  }
  return { pid, start: processStart(pid) ?? "", exited, kill: (signal) => void child.kill(signal) };
}

function signalTo(pid: number, start: string, signal: NodeJS.Signals): void {
  if (processStart(pid) !== start) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in this moment.
  }
}

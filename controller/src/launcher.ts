// How processes are started and found again, as a port: local processes (local-launcher.ts), fakes in tests.
// What they are for is decided elsewhere.

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process of ours, started by this controller or by the one before it. */
export interface ManagedProcess {
  readonly pid: number;
  /** When it was started, as the operating system tells it; with the pid it names the process for ever. */
  readonly start: string;
  /** Resolves when it has ended. An adopted process tells no code. */
  readonly exited: Promise<Exit>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** What to start. */
export interface LaunchSpec {
  /** Names its log file. */
  readonly id: string;
  /** What runs: the replica runtime, a bridge, or a program of the user's. */
  readonly program: "replica" | "bridge" | { readonly command: readonly string[] };
  /** Handed over as JSON on an inherited descriptor. */
  readonly boot: unknown;
  /** Added to the environment's allow-list. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts processes and finds them again. */
export interface Launcher {
  /** Starts a process. Throws replica_exited where it cannot be started at all. */
  launch(spec: LaunchSpec): ManagedProcess;
  /** A process of an earlier controller; null: it is gone. */
  adopt(pid: number, start: string): ManagedProcess | null;
  /** Ends what was started ahead of its use. */
  close(): void;
}

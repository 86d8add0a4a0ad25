// What every chain offers: it can be started, and then it has a URL and a set of server processes.

/** What a chain needs to start. */
export interface Site {
  /** An empty directory of the chain's own, for sockets, state and logs. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/** A chain that serves; its disposal ends every process of it. */
export interface RunningChain extends AsyncDisposable {
  /** Without a trailing slash. */
  readonly url: string;
  /** All server processes of the chain as they are now. */
  readonly pids: () => Promise<readonly number[]>;
}

export type StartChain = (site: Site) => Promise<RunningChain>;

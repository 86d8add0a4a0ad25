// The bridge processes: started, fed, restarted when they end, found again by the next controller.
// What they are fed is routing-feed.ts's matter.

import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { HeadgateError, LIMITS, fault } from "@headgate/core";
import {
  BridgeBoot,
  type RoutingServiceImplementation,
  type WatchRoutingRequest,
  type WatchRoutingResponse,
} from "@headgate/proto/routing";
import { bearerOf, tokenHash } from "@headgate/rpc";
import type { Launcher, ManagedProcess } from "./launcher.ts";
import { type Listeners, PORT_FLAGS, type Ports, listenersFit, portsFound, portsUnknown } from "./model/listeners.ts";
import { Outbox } from "./outbox.ts";
import type { RoutingFeed } from "./routing-feed.ts";
import type { BridgeRecord, Store } from "./store.ts";

const RESTART_MIN_MS = 100;
const RESTART_MAX_MS = 10_000;
/** A bridge that lived this long begins its count of restarts anew. */
const HEALTHY_MS = 30_000;
/** A bridge that has not acknowledged a table after this hangs, and is started anew. */
const SILENT_MS = 10_000;
const LOOK_MS = 1_000;

const NO_COPIES = { copied: 0n, dropped: 0n } as const;

/** One bridge. */
export interface Bridge {
  readonly slot: number;
  id: string;
  process: ManagedProcess | null;
  record: BridgeRecord | null;
  state: "launching" | "serving" | "draining";
  outbox: Outbox<WatchRoutingResponse> | null;
  inFlight: number;
  memoryBytes: number;
  /** Copies for shadows since it started: sent, and not sent. */
  shadows: { readonly copied: bigint; readonly dropped: bigint };
  restarts: number;
  startedAtMs: number;
  /** Since when it owes an acknowledgement, in milliseconds since the Unix epoch; 0: it owes none. */
  silentSinceMs: number;
  /** What it wrote of why it could not serve is in its log. */
  failures: number;
}

/** What bridges are made of. */
export interface BridgesParts {
  readonly launcher: Launcher;
  readonly store: Store;
  readonly feed: RoutingFeed;
  readonly controlAddress: string;
  readonly log: (level: "info" | "warn" | "error", msg: string, facts?: Readonly<Record<string, unknown>>) => void;
  readonly changed: () => void;
}

/** The bridges of an instance. */
export class Bridges {
  readonly list: Bridge[] = [];
  readonly #parts: BridgesParts;
  #listeners: Listeners = { httpHost: "127.0.0.1", httpPort: 0, h2cPort: null, httpsPort: null, tlsCert: "", tlsKey: "" };
  #closing = false;
  #look: NodeJS.Timeout | null = null;

  constructor(parts: BridgesParts) {
    this.#parts = parts;
  }

  /** What is served; a port is 0 until it is known. */
  get listeners(): Listeners {
    return this.#listeners;
  }

  /** Adopts the bridges there are and starts those that are missing. Throws port_taken. */
  async start(count: number, listeners: Listeners, records: readonly BridgeRecord[]): Promise<void> {
    this.#listeners = listeners;
    const adopted: Bridge[] = [];
    for (const record of records) {
      const process = this.#parts.launcher.adopt(record.pid, record.processStart);
      // Those after the first share its ports.
      const fits = listenersFit(this.#listeners, listenersOf(record)) && adopted.length < count;
      if (process === null || !fits) {
        process?.kill("SIGTERM");
        this.#parts.store.removeBridge(record.id);
        continue;
      }
      this.#listeners = { ...listeners, ...portsFound(listeners, listenersOf(record)) };
      const bridge = newBridge(this.list.length);
      this.list.push(bridge);
      adopted.push(bridge);
      this.#parts.feed.expect(record.id, true);
      this.#run(bridge, record.id, process, record);
      bridge.state = "serving";
    }
    if (adopted.length === 0) await probePorts(listeners);
    // With any free port the first bridge decides, and the others share it.
    while (this.list.length < count) {
      const bridge = newBridge(this.list.length);
      this.list.push(bridge);
      this.#launch(bridge);
      if (portsUnknown(this.#listeners)) break;
    }
    this.#wanted = count;
    this.#look = setInterval(() => this.#lookForSilent(), LOOK_MS).unref();
  }

  #wanted = 0;

  /** Whether every bridge serves. */
  get ready(): boolean {
    return this.list.length >= this.#wanted && this.list.every((bridge) => bridge.state === "serving");
  }

  /** The reason why a bridge does not come up; null: none is known. */
  get failure(): HeadgateError | null {
    const failing = this.list.find((bridge) => bridge.failures >= 3);
    if (failing === undefined) return null;
    return new HeadgateError(
      fault("start_failed", `the HTTP bridge does not come up; headgate logs ${failing.id} shows why`, { bridge: failing.id }),
    );
  }

  /** The id that a bridge's token belongs to; null: none. */
  idOfToken(token: string): string | null {
    const hash = tokenHash(token).toString("hex");
    return this.list.find((bridge) => bridge.record?.tokenHash === hash)?.id ?? null;
  }

  /** RoutingService: tables out, acknowledgements in. A caller whose token is no bridge's only watches. */
  service(): RoutingServiceImplementation {
    const bridges = this;
    return {
      async *watchRouting(requests: AsyncIterable<WatchRoutingRequest>, context): AsyncGenerator<WatchRoutingResponse, void, undefined> {
        const id = bridges.idOfToken(bearerOf(context.metadata.get("authorization")) ?? "");
        const outbox = bridges.#parts.feed.subscribe();
        const listening = bridges.#listen(id, requests, outbox).finally(() => bridges.#parts.feed.unsubscribe(outbox));
        listening.catch(() => undefined);
        yield* outbox;
      },
    };
  }

  /** Lets every bridge finish. Resolves when their processes are gone. */
  async drain(force: boolean): Promise<void> {
    this.#closing = true;
    if (this.#look !== null) clearInterval(this.#look);
    await Promise.all(
      this.list.map(async (bridge) => {
        const { process } = bridge;
        if (process === null) return;
        bridge.state = "draining";
        if (force) process.kill("SIGKILL");
        else if (bridge.outbox !== null) {
          bridge.outbox.push({ kind: { $case: "drain", value: { timeoutMs: LIMITS.drainTimeoutMs } } });
          // So that no table takes its place before it is read.
          bridge.outbox.close();
        } else process.kill("SIGTERM");
        const late = setTimeout(() => process.kill("SIGKILL"), LIMITS.drainTimeoutMs + 1_000);
        await process.exited;
        clearTimeout(late);
      }),
    );
  }

  async #listen(id: string | null, requests: AsyncIterable<WatchRoutingRequest>, outbox: Outbox<WatchRoutingResponse>): Promise<void> {
    const bridge = this.list.find((one) => one.id === id) ?? null;
    if (bridge !== null) bridge.outbox = outbox;
    try {
      for await (const { kind } of requests) {
        if (bridge === null || kind === undefined || bridge.id !== id) continue;
        switch (kind.$case) {
          case "hello":
            this.#hello(bridge, kind.value);
            break;
          case "ack":
            if (bridge.state === "launching") bridge.state = "serving";
            bridge.failures = 0;
            this.#parts.feed.ack(bridge.id, kind.value.epoch, kind.value.sequence);
            break;
          case "nack":
            this.#parts.log("error", "a bridge refused a routing table", { bridge: bridge.id, reason: kind.value.reason });
            break;
          case "load":
            bridge.inFlight = kind.value.inFlight;
            bridge.memoryBytes = Number(kind.value.memoryBytes);
            bridge.shadows = { copied: kind.value.shadowsCopied, dropped: kind.value.shadowsDropped };
            break;
          default:
            kind satisfies never;
        }
      }
    } finally {
      if (bridge?.outbox === outbox) bridge.outbox = null;
    }
  }

  #hello(bridge: Bridge, found: Ports): void {
    if (bridge.record !== null && portsUnknown(listenersOf(bridge.record))) {
      bridge.record = { ...bridge.record, ...portsFound(listenersOf(bridge.record), found) };
      this.#parts.store.putBridge(bridge.record);
    }
    if (!portsUnknown(this.#listeners)) return;
    this.#listeners = { ...this.#listeners, ...portsFound(this.#listeners, found) };
    while (this.list.length < this.#wanted) {
      const next = newBridge(this.list.length);
      this.list.push(next);
      this.#launch(next);
    }
  }

  #launch(bridge: Bridge): void {
    const id = `bridge-${randomBytes(4).toString("hex")}`;
    const token = randomBytes(24).toString("base64url");
    const { launcher, store, feed, controlAddress } = this.#parts;
    const { h2cPort, httpsPort, ...listeners } = this.#listeners;
    const boot = BridgeBoot.toJSON({
      bridgeId: id,
      controlAddress,
      token,
      ...listeners,
      h2cPort: h2cPort ?? undefined,
      httpsPort: httpsPort ?? undefined,
    });
    const process = launcher.launch({ id, program: "bridge", boot, env: {} });
    const record: BridgeRecord = {
      id,
      pid: process.pid,
      processStart: process.start,
      tokenHash: tokenHash(token).toString("hex"),
      ...this.#listeners,
    };
    bridge.state = "launching";
    feed.expect(id, false);
    this.#run(bridge, id, process, record);
    store.putBridge(record);
  }

  #run(bridge: Bridge, id: string, process: ManagedProcess, record: BridgeRecord): void {
    Object.assign(bridge, { id, process, record, startedAtMs: Date.now(), inFlight: 0, shadows: NO_COPIES, silentSinceMs: 0 });
    void process.exited.then((exit) => {
      this.#parts.feed.forget(id);
      bridge.process = null;
      bridge.outbox?.close();
      try {
        this.#parts.store.removeBridge(id);
      } catch {
        // A record of a process that is gone is found out at the next start.
      }
      if (this.#closing) return;
      this.#parts.log("warn", "a bridge ended", { bridge: id, code: exit.code, signal: exit.signal });
      const lived = Date.now() - bridge.startedAtMs;
      bridge.state = "launching";
      bridge.restarts++;
      bridge.failures = lived > HEALTHY_MS ? 0 : bridge.failures + 1;
      const delayMs = bridge.failures <= 1 ? 0 : Math.min(RESTART_MIN_MS * 2 ** bridge.failures, RESTART_MAX_MS);
      setTimeout(() => {
        if (!this.#closing) this.#launch(bridge);
      }, delayMs);
      this.#parts.changed();
    });
  }

  /** A bridge that does not acknowledge would hold up every change: it is ended, and another started. */
  #lookForSilent(): void {
    const silent = new Set(this.#parts.feed.silent);
    const now = Date.now();
    for (const bridge of this.list) {
      if (!silent.has(bridge.id)) bridge.silentSinceMs = 0;
      else if (bridge.silentSinceMs === 0) bridge.silentSinceMs = now;
      else if (now - bridge.silentSinceMs > SILENT_MS) {
        this.#parts.log("error", "a bridge acknowledges nothing and is started anew", { bridge: bridge.id });
        bridge.process?.kill("SIGKILL");
      }
    }
  }
}

function newBridge(slot: number): Bridge {
  return {
    slot,
    id: "",
    process: null,
    record: null,
    state: "launching",
    outbox: null,
    inFlight: 0,
    memoryBytes: 0,
    shadows: NO_COPIES,
    restarts: 0,
    startedAtMs: 0,
    silentSinceMs: 0,
    failures: 0,
  };
}

/** What a recorded bridge serves; a record of an earlier version says nothing of what that did not have. */
function listenersOf({ httpHost, httpPort, h2cPort, httpsPort, tlsCert, tlsKey }: BridgeRecord): Listeners {
  return { httpHost, httpPort, h2cPort: h2cPort ?? null, httpsPort: httpsPort ?? null, tlsCert: tlsCert ?? "", tlsKey: tlsKey ?? "" };
}

/** Throws where another program has one of the ports: bridges share theirs, so that they would not notice. */
async function probePorts(listeners: Listeners): Promise<void> {
  const { httpHost: host } = listeners;
  for (const [flag, name] of PORT_FLAGS) {
    const port = listeners[name];
    if (port === null || port === 0) continue;
    await new Promise<void>((resolve, reject) => {
      const probe = createServer();
      probe.once("error", (error: NodeJS.ErrnoException) => reject(portFault(host, port, flag, error)));
      probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
    });
  }
}

/** The fault of a port that cannot be listened on. */
export function portFault(
  host: string,
  port: number,
  name: (typeof PORT_FLAGS)[number][0] | "control-port" | "admin-port",
  error: NodeJS.ErrnoException,
): HeadgateError {
  const flag = `--${name}`;
  if (error.code === "EADDRINUSE") {
    return new HeadgateError(
      fault(
        "port_taken",
        `port ${port} on ${host} is taken by another program; give another one with ${flag}, or ${flag} 0 for any free one`,
        { port: String(port) },
      ),
      {
        cause: error,
      },
    );
  }
  return new HeadgateError(
    fault("bind_refused", `${flag}: nothing can listen on ${host}:${port}: ${error.message}`, { port: String(port) }),
    {
      cause: error,
    },
  );
}

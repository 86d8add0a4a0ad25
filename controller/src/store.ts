// Where the desired state lies, as a port: SQLite in the state directory (sqlite-store.ts), memory in tests (memory-store.ts).
// A commit is durable when it returns. What the state means is model/'s matter; here it is rows.

import type { Desired } from "./model/desired.ts";

/** A replica process that a later controller can adopt. */
export interface ReplicaRecord {
  readonly id: string;
  readonly backend: string;
  readonly generation: number;
  readonly pid: number;
  /** When the process was started, as the operating system tells it: a pid alone may be another process by now. */
  readonly processStart: string;
  readonly address: string;
  /** SHA-256 of its resume token, hex; empty: it has not registered. */
  readonly resumeHash: string;
  /** SHA-256 of its token for the routing feed, hex; empty: it was started by a controller that gave none. */
  readonly routingHash: string;
  /** Revision whose settings it was given at its start. */
  readonly revision: number;
  readonly startedAtMs: number;
}

/** A bridge process that a later controller can adopt. */
export interface BridgeRecord {
  readonly id: string;
  readonly pid: number;
  readonly processStart: string;
  /** SHA-256 of its token, hex. */
  readonly tokenHash: string;
  readonly httpHost: string;
  readonly httpPort: number;
  /** What else it serves; left out: nothing. */
  readonly h2cPort?: number | null;
  readonly httpsPort?: number | null;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** A request id and what was answered. */
export interface RememberedRequest {
  /** Of what was asked. */
  readonly hash: string;
  /** The encoded response. */
  readonly response: Uint8Array;
}

/** What a store holds when it is opened. */
export interface Stored {
  /** Identity of the store, made with it. */
  readonly epoch: string;
  /** Number of this opening, from 1. */
  readonly incarnation: number;
  readonly desired: Desired;
  readonly replicas: readonly ReplicaRecord[];
  readonly bridges: readonly BridgeRecord[];
}

/** An open store. Methods throw store_unavailable where something cannot be written. */
export interface Store extends Disposable {
  readonly stored: Stored;
  /** Writes what differs between two states, in one transaction. */
  commit(before: Desired, after: Desired): void;
  putReplica(record: ReplicaRecord): void;
  removeReplica(id: string): void;
  putBridge(record: BridgeRecord): void;
  removeBridge(id: string): void;
  /** What was answered to a request id; null: it is not remembered. */
  request(id: string): RememberedRequest | null;
  /** Remembers an answer; the oldest beyond LIMITS.rememberedRequestIds are forgotten. */
  remember(id: string, request: RememberedRequest): void;
}

// The receiver's side of RoutingService.WatchRouting: tables in, acknowledgements out, the stream made anew when it breaks.
// What a table means is the router's matter; while there is no controller the last table stays in force.

import { LIMITS, type Refusal, type Result, err, fault, transportOf } from "@headgate/core";
import * as pb from "@headgate/proto/routing";
import { endpointSpecFromProto } from "@headgate/rpc/convert-endpoint";
import { type GrpcStream, openStream } from "@headgate/rpc/stream";
import type { RoutingTable } from "./model/table.ts";

const TARGET_PATH = "/headgate.v1.RoutingService/WatchRouting";
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;
/** A table of 1,000 endpoints and 1,000 replicas is well below it. */
const MAX_TABLE_BYTES = 64 * 1024 * 1024;

/** How busy a bridge is. */
export interface Load {
  readonly inFlight: number;
  readonly memoryBytes: number;
  /** Copies for shadows since it started: sent, and due but not sent. */
  readonly shadows: { readonly copied: number; readonly dropped: number };
}

/** What the feed needs of its owner. */
export interface FeedOwner {
  /**
   * A table came. The answer: in force and ready for requests, older than the one in force, or refused with a reason. Tables that come
   * meanwhile are handed over at once; answers are told in the order of the tables.
   */
  table(table: RoutingTable): Promise<"in_force" | "older" | { readonly refused: string }>;
  /** The controller asks a bridge to finish. */
  drain(timeoutMs: number): void;
  /** How busy it is; null: not told (a client that only watches). */
  load(): Load | null;
  /** The stream broke or could not be opened; it is tried again unless `fatal`. */
  broken(reason: Error, fatal: boolean): void;
}

/** Who the receiver is. */
export interface FeedIdentity {
  /** Id of a bridge; empty: a client that only watches. */
  readonly bridgeId: string;
  readonly httpPort: number;
  /** 0: not served. */
  readonly h2cPort: number;
  /** 0: not served. */
  readonly httpsPort: number;
}

/** An endless watch. */
export class RoutingFeed {
  readonly #address: string;
  readonly #token: string;
  readonly #identity: FeedIdentity;
  readonly #owner: FeedOwner;
  #stream: GrpcStream | null = null;
  #retry: NodeJS.Timeout | null = null;
  #loadTimer: NodeJS.Timeout | null = null;
  #backoffMs = RECONNECT_MIN_MS;
  #closed = false;
  /** Resolves when all tables so far are answered. */
  #answered: Promise<void> = Promise.resolve();

  constructor(address: string, token: string, identity: FeedIdentity, owner: FeedOwner) {
    this.#address = address;
    this.#token = token;
    this.#identity = identity;
    this.#owner = owner;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#loadTimer !== null) clearInterval(this.#loadTimer);
    this.#stream?.close();
  }

  #connect(): void {
    if (this.#closed) return;
    const stream = openStream(
      this.#address,
      { path: TARGET_PATH, token: this.#token, maxMessageBytes: MAX_TABLE_BYTES },
      {
        open: () => {
          this.#backoffMs = RECONNECT_MIN_MS;
        },
        message: (bytes) => this.#receive(stream, pb.WatchRoutingResponse.decode(bytes)),
        end: (error) => this.#ended(error ?? new Error("the controller ended the feed")),
      },
    );
    this.#stream = stream;
    const { bridgeId, httpPort, h2cPort, httpsPort } = this.#identity;
    this.#say(stream, { $case: "hello", value: { bridgeId, pid: process.pid, httpPort, h2cPort, httpsPort } });
    this.#loadTimer ??= setInterval(() => this.#tellLoad(), LIMITS.loadReportMs).unref();
  }

  #say(stream: GrpcStream, kind: NonNullable<pb.WatchRoutingRequest["kind"]>): void {
    stream.send(pb.WatchRoutingRequest.encode({ kind }).finish());
  }

  #tellLoad(): void {
    const load = this.#owner.load();
    if (load === null || this.#stream === null) return;
    const { inFlight, memoryBytes, shadows } = load;
    const value = {
      inFlight,
      memoryBytes: BigInt(memoryBytes),
      shadowsCopied: BigInt(shadows.copied),
      shadowsDropped: BigInt(shadows.dropped),
    };
    this.#say(this.#stream, { $case: "load", value });
  }

  #receive(stream: GrpcStream, { kind }: pb.WatchRoutingResponse): void {
    if (kind === undefined) return;
    if (kind.$case === "drain") {
      this.#owner.drain(kind.value.timeoutMs);
      return;
    }
    const table = tableFromProto(kind.value);
    const taken = table.ok ? this.#owner.table(table.value) : Promise.resolve({ refused: table.error.message });
    this.#answered = this.#answered.then(async () => this.#answer(stream, kind.value, await taken));
  }

  #answer(stream: GrpcStream, { epoch, sequence }: pb.RoutingTable, taken: Awaited<ReturnType<FeedOwner["table"]>>): void {
    if (taken === "older") return;
    if (taken === "in_force") this.#say(stream, { $case: "ack", value: { epoch, sequence } });
    else this.#say(stream, { $case: "nack", value: { epoch, sequence, reason: taken.refused.slice(0, 4096) } });
  }

  #ended(reason: Error & { readonly code?: string }): void {
    this.#stream = null;
    if (this.#closed) return;
    const fatal = reason.code === "unauthenticated" || reason.code === "permission_denied";
    this.#owner.broken(reason, fatal);
    this.#retry = setTimeout(() => this.#connect(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, RECONNECT_MAX_MS);
  }
}

/** A table out of its message, every part checked. */
function tableFromProto(message: pb.RoutingTable): Result<RoutingTable, Refusal> {
  const endpoints: RoutingTable["endpoints"][number][] = [];
  for (const endpoint of message.endpoints) {
    const spec = endpointSpecFromProto(endpoint);
    if (!spec.ok) return err(fault("invalid_argument", `endpoint "${endpoint.name}": ${spec.error.message}`));
    endpoints.push(spec.value);
  }
  return {
    ok: true,
    value: {
      epoch: message.epoch,
      sequence: message.sequence,
      revision: message.revision,
      endpoints,
      backends: message.backends.map((backend) => ({
        name: backend.name,
        maxConcurrentQueries: backend.maxConcurrentQueries,
        maxQueuedRequests: backend.maxQueuedRequests,
        replicas: backend.replicas.map(({ id, address, ...serves }) => ({ id, address, transport: transportOf(serves) })),
      })),
    },
  };
}

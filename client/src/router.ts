// Requests to backends: one immutable compiled table, swapped whole when a newer one is in force, and the live backends
// that it points to. Sits between whoever takes requests in (the HTTP bridge, handles) and the replicas' links.

import { fault } from "@headgate/core";
import type { Call } from "./call.ts";
import { LiveBackend } from "./live-backend.ts";
import { DeadlineWheel } from "./model/deadlines.ts";
import {
  type CompiledEndpoint,
  type CompiledTable,
  type SplitCursor,
  compileTable,
  isNewer,
  pickBackend,
  tableProblem,
} from "./model/routing-table.ts";
import { nextPoint } from "./model/split.ts";
import { steer } from "./model/steering.ts";
import type { RoutingTable } from "./model/table.ts";
import { Shadows } from "./shadows.ts";

/** How often deadlines are looked at while anything is in flight, in milliseconds: how late a 504 can be. */
const SWEEP_MS = 20;

/** An endpoint as it is dispatched to. */
export type LiveEndpoint = CompiledEndpoint<LiveBackend>;
/** The table in force. */
export type LiveTable = CompiledTable<LiveBackend>;

/** Dispatches calls by the table in force. */
export class Router {
  /** The table in force; null before the first. */
  table: LiveTable | null = null;
  /** Copies of requests. */
  readonly shadows = new Shadows();
  readonly #backends = new Map<string, LiveBackend>();
  readonly #cursors = new Map<string, SplitCursor>();
  readonly #deadlines = new DeadlineWheel<Call>();
  readonly #random: () => number;
  readonly #lazy: boolean;
  #leaving = new Set<LiveBackend>();
  #sweeper: NodeJS.Timeout | null = null;

  /** `random` gives numbers in [0, 1). `lazy`: a backend's replicas are connected to with the first call, not with the table. */
  constructor({ random = Math.random, lazy = false }: { readonly random?: () => number; readonly lazy?: boolean } = {}) {
    this.#random = random;
    this.#lazy = lazy;
  }

  /** Puts a table in force unless it is older or wrong; then the one in force stays. */
  apply(table: RoutingTable): "in_force" | "older" | { readonly refused: string } {
    const { table: current } = this;
    if (!isNewer(current, table)) return current?.sequence === table.sequence ? "in_force" : "older";
    const problem = tableProblem(table);
    if (problem !== null) return { refused: problem };
    const known = new Set(table.backends.map((backend) => backend.name));
    this.table = compileTable(
      table,
      (backend) => {
        const live = this.#backends.get(backend.name);
        if (live !== undefined) {
          live.update(backend);
          return live;
        }
        const made = new LiveBackend(backend, this.#deadlines, this.#random, this.#lazy);
        this.#backends.set(backend.name, made);
        return made;
      },
      (endpoint) => this.#cursor(endpoint),
      (endpoint, backend) => this.shadows.lane(endpoint, backend),
    );
    for (const [name, backend] of this.#backends) {
      if (known.has(name)) continue;
      this.#backends.delete(name);
      this.#leaving.add(backend);
      backend.leave();
    }
    const names: ReadonlySet<string> = new Set(table.endpoints.map((endpoint) => endpoint.name));
    for (const name of this.#cursors.keys()) if (!names.has(name)) this.#cursors.delete(name);
    this.shadows.retain(names);
    return "in_force";
  }

  /**
   * Resolves when each replica of the table in force is linked, or cannot be for now: requests find their way without a wait from then
   * on. What Envoy calls warming a cluster, but for that the table is in force already.
   */
  async warm(): Promise<void> {
    await Promise.all([...this.#backends.values()].map((backend) => backend.tried()));
  }

  /** Sends a call to a backend of an endpoint: the one that its fields ask for, else with a key always the same one, else by the split. */
  dispatch(endpoint: LiveEndpoint, call: Call, key: string | null): void {
    const { cursor, steering } = endpoint;
    let backend: LiveBackend | null = null;
    if (steering !== null) {
      const steered = steer(steering, call.headers);
      if (steered.refusal !== null) {
        call.sink.fault(steered.refusal);
        return;
      }
      call.headers = steered.headers;
      ({ backend } = steered);
    }
    if (backend === null) {
      cursor.point = nextPoint(cursor.point);
      backend = pickBackend(endpoint, cursor.point, key);
    }
    if (backend === null) {
      call.sink.fault(fault("no_replica", `endpoint "${endpoint.name}" has no backend`, { endpoint: endpoint.name }));
      return;
    }
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
    if (endpoint.shadows.length === 0) backend.dispatch(call);
    else {
      // Taken before, as pieces leave the list with the request; whatever becomes of the copy, the request has gone first.
      const pieces = call.bodyEnded && call.lane === null ? [...call.pieces] : null;
      backend.dispatch(call);
      this.shadows.copy(endpoint, call, pieces);
    }
    if (call.state === "queued") this.shadows.makeRoom(backend);
  }

  /** The caller is gone. The sink hears nothing more. */
  abandon(call: Call): void {
    call.backend?.abandon(call);
    call.state = "done";
  }

  /** Gives the next piece of a body that is sent as it comes; with its end the fields behind it. */
  giveBody(call: Call, piece: Buffer | null, end: boolean, trailers: readonly string[] | null = null): void {
    const hadPieces = call.pieces.length > 0;
    if (piece !== null && piece.length > 0) call.give(piece);
    if (end) call.bodyEnded = true;
    if (trailers !== null) call.trailers = trailers;
    if (call.state !== "sent") return;
    const link = call.replica?.link;
    if (piece !== null && piece.length > 0) link?.pump(call);
    else if (end && !hadPieces) link?.endBody(call);
  }

  /**
   * Gives a message of an accepted WebSocket, or the caller's close; `part` is one of WebSocketPart that does not continue. False: not all
   * of what was given is sent, so that nothing more should be given before the sink's writable().
   */
  giveMessage(call: Call, part: number, body: Buffer): boolean {
    return call.state !== "sent" || (call.replica?.link?.message(call, part, body) ?? true);
  }

  /** Bytes of the answer that the caller has taken. */
  consumed(call: Call, bytes: number): void {
    call.replica?.link?.consumed(call, bytes);
  }

  /** Calls that run or wait. */
  get inFlight(): number {
    let sum = 0;
    for (const backend of this.#backends.values()) sum += backend.inFlight;
    for (const backend of this.#leaving) sum += backend.inFlight;
    return sum;
  }

  /** Ends every link at once. */
  close(): void {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
    for (const backend of [...this.#backends.values(), ...this.#leaving]) {
      backend.leave();
      backend.close();
    }
  }

  #cursor(endpoint: string): SplitCursor {
    let cursor = this.#cursors.get(endpoint);
    if (cursor === undefined) {
      // A start of its own, so that many bridges do not send their first requests to the same backend.
      cursor = { point: this.#random(), shadowPoint: this.#random() };
      this.#cursors.set(endpoint, cursor);
    }
    return cursor;
  }

  #sweep(): void {
    const now = performance.now();
    for (const call of this.#deadlines.take(now)) call.backend?.expire(call, now);
    for (const backend of this.#backends.values()) backend.look(now);
    for (const backend of this.#leaving) {
      backend.look(now);
      backend.leave();
      if (backend.inFlight === 0) this.#leaving.delete(backend);
    }
    if (this.#sweeper !== null && this.inFlight === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = null;
    }
  }
}

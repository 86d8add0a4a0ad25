// Copies of requests for shadows. Each shadow of an endpoint has a lane of its own, bounded; a copy leaves after its request,
// takes a replica only where one is free and nothing waits, and makes room as soon as a request has to wait there.
// What cannot be copied is dropped and counted, never put off: no queue, no second try.

import { LIMITS, type Fault } from "@headgate/core";
import { Call, type CallSink } from "./call.ts";
import type { LiveBackend } from "./live-backend.ts";
import type { CompiledEndpoint, ShadowLane } from "./model/routing-table.ts";
import { nextShadowPoint } from "./model/split.ts";

/** Makes copies and throws their answers away. */
export class Shadows {
  /** Copies that were sent since the start. */
  copied = 0;
  /** Copies that were due and not sent, or broken off to make room. */
  dropped = 0;
  readonly #lanes = new Map<string, ShadowLane>();
  readonly #running = new Map<LiveBackend, Set<Copy>>();

  /** The lane of a shadow, the same from one table to the next. */
  lane(endpoint: string, backend: string): ShadowLane {
    const key = `${endpoint}\0${backend}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { inFlight: 0, copied: 0, dropped: 0 };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** Forgets the lanes of endpoints that are gone. */
  retain(endpoints: ReadonlySet<string>): void {
    for (const key of this.#lanes.keys()) if (!endpoints.has(key.slice(0, key.indexOf("\0")))) this.#lanes.delete(key);
  }

  /** Copies a request that has left. `pieces`: its whole body as it was before; null: it comes in a stream, so that there is no copy. */
  copy({ shadows, cursor }: CompiledEndpoint<LiveBackend>, call: Call, pieces: readonly Buffer[] | null): void {
    for (const { proportion, backend, lane } of shadows) {
      cursor.shadowPoint = nextShadowPoint(cursor.shadowPoint);
      if (cursor.shadowPoint >= proportion) continue;
      if (pieces === null || lane.inFlight >= LIMITS.shadowInFlight || !this.#send(backend, lane, call, pieces)) {
        lane.dropped++;
        this.dropped++;
      }
    }
  }

  /** A request has to wait for a replica of this backend: one copy that runs there, if there is any, is given up. */
  makeRoom(backend: LiveBackend): void {
    const copy = this.#running.get(backend)?.values().next().value;
    if (copy === undefined) return;
    this.#notCopied(copy);
    this.ended(copy);
    // Last, as the request takes the free place at once.
    backend.abandon(copy.call);
  }

  /** A copy is over. */
  ended(copy: Copy): void {
    const running = this.#running.get(copy.backend);
    if (running?.delete(copy) !== true) return;
    if (running.size === 0) this.#running.delete(copy.backend);
    copy.lane.inFlight--;
  }

  /** A copy that no replica has taken is over. */
  refused(copy: Copy): void {
    this.#notCopied(copy);
    this.ended(copy);
  }

  #send(backend: LiveBackend, lane: ShadowLane, call: Call, pieces: readonly Buffer[]): boolean {
    const copy = new Copy(this, backend, lane, call, pieces);
    this.#began(copy);
    if (!backend.offer(copy.call)) {
      this.ended(copy);
      return false;
    }
    lane.copied++;
    this.copied++;
    return true;
  }

  #began(copy: Copy): void {
    copy.lane.inFlight++;
    let running = this.#running.get(copy.backend);
    if (running === undefined) {
      running = new Set();
      this.#running.set(copy.backend, running);
    }
    running.add(copy);
  }

  #notCopied({ lane }: Copy): void {
    lane.copied--;
    lane.dropped++;
    this.copied--;
    this.dropped++;
  }
}

/** One copy: throws its answer away as it comes. */
class Copy implements CallSink {
  readonly call: Call;
  readonly backend: LiveBackend;
  readonly lane: ShadowLane;
  readonly #shadows: Shadows;

  constructor(shadows: Shadows, backend: LiveBackend, lane: ShadowLane, of: Call, pieces: readonly Buffer[]) {
    this.#shadows = shadows;
    this.backend = backend;
    this.lane = lane;
    const call = new Call(of.endpoint, of.method, of.target, of.headers, of.requestId, of.deadline, this);
    call.params = of.params;
    call.callMethod = of.callMethod;
    call.via = of.via;
    call.secure = of.secure;
    call.shadow = true;
    // No second try, wherever the first one ends.
    call.replayable = false;
    call.pieces = [...pieces];
    call.trailers = of.trailers;
    this.call = call;
  }

  head(_status: number, _headers: readonly string[], body: Buffer | null, end: boolean): boolean {
    return this.body(body, end);
  }

  body(piece: Buffer | null, end: boolean): boolean {
    if (end) this.#shadows.ended(this);
    else if (piece !== null) this.call.replica?.link?.consumed(this.call, piece.length);
    return true;
  }

  release(): boolean {
    return true;
  }

  fault({ code }: Fault): void {
    if (code === "replica_busy") this.#shadows.refused(this);
    else this.#shadows.ended(this);
  }

  writable(): void {
    // A copy's body is whole from the start.
  }
}

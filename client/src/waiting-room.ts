// Requests of one backend that wait for a replica: bounded, in order, and refused at once where waiting is of no use.
// Which replica takes the next one, and what a deadline that has passed means, is the backend's matter.

import { type Fault, LIMITS, fault } from "@headgate/core";
import type { Call } from "./call.ts";
import { CallQueue } from "./call-queue.ts";
import { LoadEstimate, isHopeless, retryAfterMs } from "./model/load.ts";

/** What a backend does, as far as those who wait need to know. */
export interface Work {
  readonly name: string;
  /** Requests that have left its replicas, but for those whose deadline passed there. */
  readonly done: number;
  /** Requests that its replicas have now. */
  readonly running: number;
  /** Replicas that take requests. */
  readonly openReplicas: number;
}

/** A queue with its door. */
export class WaitingRoom {
  readonly #work: Work;
  readonly #random: () => number;
  readonly #queue = new CallQueue();
  readonly #load = new LoadEstimate();
  /** Since when no replica has taken requests; negative: one does. */
  #forsakenAt = -1;

  /** `random` gives numbers in [0, 1). */
  constructor(work: Work, random: () => number) {
    this.#work = work;
    this.#random = random;
  }

  /** How many wait. */
  get size(): number {
    return this.#queue.size;
  }

  first(): Call | null {
    return this.#queue.first();
  }

  /** All that wait, in order. */
  calls(): Call[] {
    return this.#queue.calls();
  }

  /** Why a request that comes in cannot wait; null: it can. */
  refusal(call: Call, now: number, most: number): Fault | null {
    const { name, done, running } = this.#work;
    const { size } = this.#queue;
    if (size >= most) {
      const details = { backend: name, limit: "maxQueuedRequests", mayHaveRun: "false" };
      const message = `backend "${name}" has ${size} requests waiting, its limit maxQueuedRequests`;
      return fault("queue_full", message, details, retryAfterMs(this.#load.timeFor(size, now, done, running), this.#random()));
    }
    return this.#isHopeless(call, size, now) ? this.unreachable(call, now) : null;
  }

  /** What a call is told that would miss its deadline. */
  unreachable(call: Call, now: number): Fault {
    const { name, done, running } = this.#work;
    return fault(
      "deadline_unreachable",
      `so many requests wait for backend "${name}" that this one would miss its deadline`,
      { backend: name, limit: "requestTimeoutMs", mayHaveRun: String(call.sent) },
      retryAfterMs(this.#load.timeFor(this.#queue.size, now, done, running), this.#random()),
    );
  }

  /** The last one, where it would miss its deadline by what is known by now; null: all may hope. */
  surplus(now: number): Call | null {
    const last = this.#queue.last();
    return last !== null && this.#isHopeless(last, this.#queue.size - 1, now) ? last : null;
  }

  /** Whether it is too late for the first one: a replica's time is better spent on those behind it. */
  isTooLate(first: Call, now: number): boolean {
    return !this.#load.fits(first.deadline - now) && this.#isHopeless(first, 0, now);
  }

  /** Lets a call wait: a new one, or one that a replica did not take. */
  enter(call: Call, now: number): void {
    call.state = "queued";
    call.queuedAt = now;
    if (this.#queue.size === 0) this.#load.begin(now, this.#work.done);
    this.#queue.add(call);
  }

  /** The call goes on, or is over. */
  leave(call: Call, now: number): void {
    this.#queue.remove(call);
    if (this.#queue.size === 0) this.#load.end(now, this.#work.done, this.#work.running);
  }

  /** A call has left its replica while others wait. */
  served(call: Call, now: number): void {
    // A WebSocket has no deadline any more, and says nothing of how long a request runs.
    if (call.deadline < Number.POSITIVE_INFINITY) this.#load.ran(call.timeoutMs - (call.deadline - now));
  }

  /** To be called every few milliseconds while any wait: takes in what has been done. */
  measure(now: number): void {
    this.#load.measure(now, this.#work.done, this.#work.running);
  }

  /** A replica takes requests. */
  reached(): void {
    this.#forsakenAt = -1;
  }

  /** To be called every now and then while any wait. Gives those that have waited too long for a replica to come back. */
  look(now: number): Call[] {
    if (this.#work.openReplicas > 0) {
      this.reached();
      return [];
    }
    if (this.#forsakenAt < 0) this.#forsakenAt = now;
    return this.#queue.calls().filter((call) => now - call.queuedAt >= LIMITS.replicaWaitMs);
  }

  /** What those who waited in vain for a replica are told: it may be away for as long again. */
  forsaken(call: Call, now: number): Fault {
    const { name } = this.#work;
    const awayMs = this.#forsakenAt < 0 ? null : now - this.#forsakenAt;
    const details = { backend: name, limit: "replicaWaitMs", mayHaveRun: String(call.sent) };
    const message = `backend "${name}" has no replica that takes requests`;
    return fault("no_replica", message, details, retryAfterMs(awayMs, this.#random()));
  }

  #isHopeless(call: Call, ahead: number, now: number): boolean {
    const { done, running, openReplicas } = this.#work;
    const { size } = this.#queue;
    return size > 0 && isHopeless(size, openReplicas, this.#load.timeUntilDone(ahead, now, done, running), call.deadline - now);
  }
}

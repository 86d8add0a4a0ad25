// Requests of one method gathered into batches, for handlers that accept them. When a batch leaves is decided by
// model/batch-window.ts; here are the queue, the clock and the turns of the event loop.
// Batches start at the end of a turn, so that all that came in it goes along and no handler runs between two frames.
// A batch whose handler calls its own backend waits for a later one: requests in a circle have batches by their depth (model/circle.ts).

import { type BatchCall, type BatchItem, RunningBatch } from "./batch.ts";
import {
  type BatchWindow,
  type WindowDecision,
  type WindowEvent,
  type WindowLimits,
  decide,
  freshWindow,
  step,
} from "./model/batch-window.ts";

/** Settings of batches. */
export interface BatchLimits {
  /** Null: each request is a batch of its own, and they run side by side. */
  readonly maxBatchSize: number | null;
  readonly batchWaitTimeoutMs: number;
  readonly maxConcurrentBatches: number;
}

/** The places of the replica. */
export interface Places {
  /** How many requests more can come at all. */
  readonly room: number;
  /** How many have no request, running or gathering; below 0: as many that gather must wait. */
  readonly free: number;
}

/** Batches by method, and by how deep their requests lie in a circle of calls. */
export class Batcher {
  #limits: BatchLimits;
  readonly #places: Places;
  /** By depth, as far as there were any. */
  readonly #depths: (Map<string, MethodBatches> | undefined)[] = [];

  constructor(limits: BatchLimits, places: Places) {
    this.#limits = limits;
    this.#places = places;
  }

  /** Requests that gather and are in no circle: they have places, and no batch that runs waits for them. */
  get gathering(): number {
    let sum = 0;
    for (const { waiting } of this.#depths[0]?.values() ?? []) sum += waiting;
    return sum;
  }

  configure(limits: BatchLimits): void {
    this.#limits = limits;
    this.look();
  }

  /** Adds a request. */
  add(method: string, call: BatchCall, item: BatchItem): void {
    if (this.#limits.maxBatchSize === null) {
      new RunningBatch([item], () => undefined).run(call);
      return;
    }
    const { depth } = item;
    const methods = (this.#depths[depth] ??= new Map<string, MethodBatches>());
    let batches = methods.get(method);
    if (batches === undefined) {
      batches = new MethodBatches(
        call,
        () => windowLimits(this.#limits, depth),
        () => this.#places.room,
        () => (depth === 0 && this.#places.free < 0 ? this.#places.free + this.gathering : Number.POSITIVE_INFINITY),
      );
      methods.set(method, batches);
    }
    batches.add(item);
  }

  /** The caller of an item is gone. True: it waited, and the handler never sees it. */
  leave(method: string, item: BatchItem): boolean {
    if (item.batch !== null) {
      item.batch.left();
      return false;
    }
    return this.#depths[item.depth]?.get(method)?.remove(item) ?? false;
  }

  /** Something changed that may let a batch go: settings, or who can still come. */
  look(): void {
    for (const methods of this.#depths) if (methods !== undefined) for (const batches of methods.values()) batches.look();
  }
}

/** What is called in a circle holds up the batch that called it, and so waits in no hope of more. */
const windowLimits = ({ maxBatchSize, batchWaitTimeoutMs, maxConcurrentBatches }: BatchLimits, depth: number): WindowLimits => ({
  maxBatchSize: maxBatchSize ?? 1,
  batchWaitTimeoutMs: depth === 0 ? batchWaitTimeoutMs : 0,
  maxConcurrentBatches,
});

/** The batches of one method and depth. */
class MethodBatches {
  readonly #call: BatchCall;
  readonly #limits: () => WindowLimits;
  readonly #room: () => number;
  readonly #mayStart: () => number;
  readonly #ended = (): void => this.#end();
  #queue: BatchItem[] = [];
  #window: BatchWindow;
  #turn: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  #dueMs = 0;

  /** `room`: how many further requests can come at all; `mayStart`: how many of those that wait may run now. */
  constructor(call: BatchCall, limits: () => WindowLimits, room: () => number, mayStart: () => number) {
    this.#call = call;
    this.#limits = limits;
    this.#room = room;
    this.#mayStart = mayStart;
    this.#window = freshWindow(limits(), performance.now());
  }

  get waiting(): number {
    return this.#queue.length;
  }

  add(item: BatchItem): void {
    this.#queue.push(item);
    this.#step({ kind: "came" }, item.cameMs);
    this.look();
  }

  remove(item: BatchItem): boolean {
    const at = this.#queue.indexOf(item);
    if (at < 0) return false;
    this.#queue.splice(at, 1);
    this.#step({ kind: "left", oldestMs: this.#oldestMs }, performance.now());
    this.look();
    return true;
  }

  /** Sees to it that the next batch leaves when it should. */
  look(): void {
    if (this.#turn !== null) return;
    const nowMs = performance.now();
    const decision = this.#decide(nowMs);
    // A timer that is due earlier looks again then.
    if (decision.kind === "wait" && decision.untilMs !== null && this.#timer !== null && this.#dueMs <= decision.untilMs) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (decision.kind === "flush") this.#turn = setImmediate(() => this.#leave());
    else if (decision.untilMs !== null) this.#lookAt(decision.untilMs, decision.untilMs - nowMs);
  }

  #lookAt(dueMs: number, inMs: number): void {
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.look();
    }, inMs);
  }

  /** The end of the turn: batches go, as many as may. */
  #leave(): void {
    this.#turn = null;
    this.#step({ kind: "passed" }, performance.now());
    // A handler that returns at once has ended its batch in here: then the rest goes in a later turn.
    while (this.#turn === null) {
      const decision = this.#decide(performance.now());
      if (decision.kind === "wait") break;
      const items = this.#queue.slice(0, decision.size);
      this.#queue = this.#queue.slice(decision.size);
      this.#step({ kind: "taken", size: items.length, oldestMs: this.#oldestMs }, performance.now());
      new RunningBatch(items, this.#ended).run(this.#call);
    }
    this.look();
  }

  /**
   * A batch has ended. The next one starts a turn later than it could: by then the answers of this one are on their way,
   * and a handler that keeps the event loop busy does not hold them back; and what came meanwhile has been read.
   */
  #end(): void {
    this.#step({ kind: "ended" }, performance.now());
    if (this.#turn !== null) return;
    this.#turn = setImmediate(() => {
      this.#turn = setImmediate(() => this.#leave());
    });
  }

  #decide(nowMs: number): WindowDecision {
    const decision = decide(this.#window, this.#limits(), this.#room(), nowMs);
    if (decision.kind === "wait") return decision;
    const most = this.#mayStart();
    // Where none may, a place that becomes free has look() called.
    if (most <= 0) return { kind: "wait", untilMs: null };
    return decision.size <= most ? decision : { kind: "flush", size: most };
  }

  #step(event: WindowEvent, nowMs: number): void {
    this.#window = step(this.#window, event, this.#limits(), nowMs);
  }

  get #oldestMs(): number {
    return this.#queue[0]?.cameMs ?? 0;
  }
}

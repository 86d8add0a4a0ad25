// Runs requests: admits them by the strict limit, calls the handler, and turns what comes of it into an answer.
// How requests come and answers go is the business of session.ts and unary.ts, behind the Incoming interface.

import { isCallFailure } from "@headgate/client/handle";
import { type Fault, HeadgateError, fault } from "@headgate/core";
import { type BatchItem, isThenable } from "./batch.ts";
import { type BatchLimits, Batcher } from "./batcher.ts";
import type { Composition } from "./compose.ts";
import { Door, type Sender } from "./door.ts";
import type { HandlerMethod, LoadedHandler } from "./handler.ts";
import type { Log } from "./log.ts";
import { circleDepth } from "./model/circle.ts";
import { passedOn } from "./model/passed-on.ts";
import { LazyRequest, type RequestSource } from "./request.ts";
import { type Answer, answerOf } from "./result.ts";

/** A request that came in, and the way back. */
export interface Incoming extends RequestSource {
  /** Null: one that sends a single request. */
  readonly sender: Sender | null;
  /**
   * Sends an answer. Null: all of it is made. Else resolves when it is, so that the request counts as running until then;
   * rejects with what the handler's stream throws.
   */
  answer(answer: Answer): Promise<void> | null;
  /** Sends a fault instead. */
  refuse(fault: Fault): void;
  /** Ends it early: its handler sees `reason`, its caller `told`. */
  giveUp(reason: Fault, told: Fault): void;
  /** Why nobody waits for an answer any more; null: someone does. */
  readonly gone: Fault | null;
}

/** The settings of a runner that can change while it runs. */
export interface RunnerLimits extends BatchLimits {
  readonly maxConcurrentQueries: number;
}

/** What the caller may know of a handler that failed. */
const FAILED = fault("handler_error", "the handler failed");

/** Why a copy ends for which there is no room beside a request, to its handler and to its bridge. */
const NO_ROOM = fault("cancelled", "the copy has made room for a request");
const GIVEN_UP = fault("replica_busy", "the copy has made room for a request");

/** Runs requests on one handler. */
export class Runner {
  readonly #handler: LoadedHandler;
  readonly #log: Log;
  readonly #composition: Composition;
  readonly #batcher: Batcher | null;
  readonly #door: Door;
  /** Copies for shadows that run, the oldest first. */
  readonly #copies = new Set<Incoming>();
  #idle: (() => void) | null = null;
  #completed = 0;

  constructor(handler: LoadedHandler, limits: RunnerLimits, log: Log, composition: Composition) {
    this.#handler = handler;
    this.#composition = composition;
    this.#door = new Door(limits.maxConcurrentQueries);
    this.#log = log;
    this.#batcher = handler.acceptsBatches ? new Batcher(limits, this.#door) : null;
  }

  /** Requests that run now, and those that have ended. */
  get load(): { readonly inFlight: number; readonly completed: number } {
    return { inFlight: this.#door.inFlight, completed: this.#completed };
  }

  configure(limits: RunnerLimits): void {
    this.#door.limitTo(limits.maxConcurrentQueries);
    this.#batcher?.configure(limits);
  }

  /** A sender has used its places and has more to send; or it needs none. */
  answered(sender: Sender, more: boolean): void {
    this.#door.answered(sender, more);
  }

  /** A sender is gone. */
  forget(sender: Sender): void {
    this.#door.forget(sender);
  }

  /** Takes nothing new; resolves when nothing runs any more. */
  drain(): Promise<void> {
    this.#door.close();
    this.#batcher?.look();
    if (this.#door.inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Runs a request, or refuses it at once. Never throws. */
  run(incoming: Incoming): void {
    const { callMethod } = incoming.head;
    const name = callMethod === "" ? "handle" : callMethod;
    const method = this.#handler.method(name);
    if (method === undefined) {
      incoming.refuse(fault("method_not_declared", `the handler declares no method "${callMethod}"`, { method: callMethod }));
      return;
    }
    if (this.#batcher !== null && incoming.head.websocket) {
      incoming.refuse(fault("websocket_unsupported", "the handler accepts batches, and so takes no WebSockets"));
      return;
    }
    const batcher = this.#batcher;
    const depth = circleDepth(incoming.head.via, this.#composition.backend);
    const no = this.#door.enter(incoming.sender, depth === 0 ? null : (batcher?.gathering ?? 0));
    if (no !== null) {
      if (no === "replica_busy" && !incoming.head.shadow) this.#makeRoom();
      incoming.refuse(fault(no, no === "draining" ? "the replica is draining" : "the replica runs its maxConcurrentQueries already"));
      return;
    }
    if (incoming.head.shadow) this.#copies.add(incoming);
    if (batcher !== null) {
      this.#runInBatch(batcher, name, method, incoming, depth);
      return;
    }
    try {
      const result = method(new LazyRequest(incoming, this.#composition));
      if (isThenable(result)) {
        Promise.resolve(result).then(
          (value) => this.#answer(incoming, value),
          (error) => this.#failed(incoming, error),
        );
      } else this.#answer(incoming, result);
    } catch (error) {
      this.#failed(incoming, error);
    }
  }

  /** A request has to wait, maybe in another bridge than the one that sends copies: a copy is given up for it, and leaves when its handler does. */
  #makeRoom(): void {
    const [copy] = this.#copies;
    if (copy === undefined) return;
    this.#copies.delete(copy);
    copy.giveUp(NO_ROOM, GIVEN_UP);
  }

  /** A request has ended. */
  #settled(incoming: Incoming): void {
    if (this.#copies.size > 0) this.#copies.delete(incoming);
    this.#door.leave();
    this.#completed++;
    // Of those that gather some make way for those that are called in a circle: now one less.
    if (this.#batcher !== null && this.#door.free <= 0) this.#batcher.look();
    if (this.#door.inFlight === 0) this.#idle?.();
  }

  #runInBatch(batcher: Batcher, name: string, method: HandlerMethod, incoming: Incoming, depth: number): void {
    const item: BatchItem = {
      input: new LazyRequest(incoming, this.#composition),
      depth,
      cameMs: performance.now(),
      settled: (value) => this.#answer(incoming, value),
      failed: (error) => this.#failed(incoming, error),
      batch: null,
    };
    // One that still waits leaves, and the handler never sees it; one that runs counts until its batch has ended.
    incoming.cancellation.whenGone = () => {
      if (batcher.leave(name, item)) this.#settled(incoming);
    };
    batcher.add(name, method, item);
  }

  #answer(incoming: Incoming, result: unknown): void {
    let made: Promise<void> | null;
    try {
      made = incoming.answer(answerOf(result));
    } catch (error) {
      this.#failed(incoming, error);
      return;
    }
    if (made === null) this.#settled(incoming);
    else {
      made.then(
        () => this.#settled(incoming),
        (error) => this.#failed(incoming, error),
      );
    }
  }

  #failed(incoming: Incoming, error: unknown): void {
    this.#settled(incoming);
    incoming.refuse(this.#faultOf(incoming, error));
  }

  /** What the request's caller is told of an error. */
  #faultOf({ gone, head }: Incoming, error: unknown): Fault {
    try {
      // What a handler throws when its signal aborts is no news.
      return gone !== null && isAbort(error) ? gone : this.#describe(head.requestId, error);
    } catch (cause) {
      this.#log.exception("the handler threw what cannot be looked at", head.requestId, cause);
      return FAILED;
    }
  }

  /** Tells the operator of an error, and gives what the caller may know of it. */
  #describe(requestId: string, error: unknown): Fault {
    if (error instanceof HeadgateError && (error.code === "handler_result_invalid" || error.code === "batch_length_mismatch")) {
      this.#log.exception("the handler's result cannot be sent", requestId, error);
      return fault(error.code, error.message, error.details);
    }
    // The handler has asked for a WebSocket where there is none: the caller's mistake, and nothing for the log.
    if (error instanceof HeadgateError && (error.code === "upgrade_required" || error.code === "websocket_unsupported")) {
      return fault(error.code, error.message);
    }
    if (error instanceof HeadgateError && isCallFailure(error)) {
      this.#log.exception("a call to another endpoint failed, and the handler did not catch it", requestId, error);
      return passedOn(error) ?? FAILED;
    }
    this.#log.exception("the handler threw", requestId, error);
    return FAILED;
  }
}

/** Whether an error is what an aborted signal leads to: its reason, or the AbortError of what was given the signal. */
function isAbort(error: unknown): boolean {
  if (error instanceof HeadgateError) return error.code === "cancelled" || error.code === "deadline_exceeded";
  return typeof error === "object" && error !== null && "name" in error && error.name === "AbortError";
}

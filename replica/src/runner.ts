// Runs requests: admits them by the strict limit, calls the handler, and turns what comes of it into an answer.
// How requests come and answers go is the business of session.ts and unary.ts, behind the Incoming interface.

import { type Fault, HeadgateError, fault } from "@headgate/core";
import { Batcher } from "./batcher.ts";
import type { LoadedHandler } from "./handler.ts";
import type { Log } from "./log.ts";
import { refusal } from "./model/admission.ts";
import { LazyRequest, type RequestSource } from "./request.ts";
import { type Answer, answerOf } from "./result.ts";

/** A request that came in, and the way back. */
export interface Incoming extends RequestSource {
  /**
   * Sends an answer. Null: all of it is made. Else resolves when it is, so that the request counts as running until then;
   * rejects with what the handler's stream throws.
   */
  answer(answer: Answer): Promise<void> | null;
  /** Sends a fault instead. */
  refuse(fault: Fault): void;
}

/** The settings of a runner that can change while it runs. */
export interface RunnerLimits {
  readonly maxConcurrentQueries: number;
  readonly maxBatchSize: number | null;
  readonly batchWaitTimeoutMs: number;
}

/** What the caller may know of a handler that failed. */
const FAILED = fault("handler_error", "the handler failed");

/** Runs requests on one handler. */
export class Runner {
  readonly #handler: LoadedHandler;
  readonly #log: Log;
  readonly #batcher: Batcher | null;
  #limits: RunnerLimits;
  #draining = false;
  #idle: (() => void) | null = null;
  #inFlight = 0;
  #completed = 0;
  readonly #settle = (): void => {
    this.#inFlight--;
    this.#completed++;
    if (this.#inFlight === 0) this.#idle?.();
  };

  constructor(handler: LoadedHandler, limits: RunnerLimits, log: Log) {
    this.#handler = handler;
    this.#limits = limits;
    this.#log = log;
    this.#batcher = handler.acceptsBatches ? new Batcher(limits) : null;
  }

  /** Requests that run now, and those that have ended. */
  get load(): { readonly inFlight: number; readonly completed: number } {
    return { inFlight: this.#inFlight, completed: this.#completed };
  }

  configure(limits: RunnerLimits): void {
    this.#limits = limits;
    this.#batcher?.configure(limits);
  }

  /** Takes nothing new; resolves when nothing runs any more. */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Runs a request, or refuses it at once. Never throws. */
  run(incoming: Incoming): void {
    const no = refusal(this.#inFlight, this.#draining, this.#limits.maxConcurrentQueries);
    if (no !== null) {
      incoming.refuse(fault(no, no === "draining" ? "the replica is draining" : "the replica runs its maxConcurrentQueries already"));
      return;
    }
    const { callMethod } = incoming.head;
    const method = this.#handler.method(callMethod === "" ? "handle" : callMethod);
    if (method === undefined) {
      incoming.refuse(fault("method_not_declared", `the handler declares no method "${callMethod}"`, { method: callMethod }));
      return;
    }
    if (this.#batcher !== null && incoming.head.websocket) {
      incoming.refuse(fault("websocket_unsupported", "the handler accepts batches, and so takes no WebSockets"));
      return;
    }
    this.#inFlight++;
    try {
      const request = new LazyRequest(incoming);
      const result = this.#batcher === null ? method(request) : this.#batcher.add(callMethod, request, method);
      if (isThenable(result)) {
        result.then(
          (value) => this.#answer(incoming, value),
          (error) => this.#failed(incoming, error),
        );
      } else this.#answer(incoming, result);
    } catch (error) {
      this.#failed(incoming, error);
    }
  }

  #answer(incoming: Incoming, result: unknown): void {
    let answer: Answer;
    try {
      answer = answerOf(result);
    } catch (error) {
      this.#failed(incoming, error);
      return;
    }
    const made = incoming.answer(answer);
    if (made === null) this.#settle();
    else made.then(this.#settle, (error) => this.#failed(incoming, error));
  }

  #failed(incoming: Incoming, error: unknown): void {
    this.#settle();
    incoming.refuse(this.#describe(incoming.head.requestId, error));
  }

  /** Tells the operator of an error, and gives what the caller may know of it. */
  #describe(requestId: string, error: unknown): Fault {
    if (error instanceof HeadgateError && (error.code === "handler_result_invalid" || error.code === "batch_length_mismatch")) {
      this.#log.exception("the handler's result cannot be sent", requestId, error);
      return fault(error.code, error.message);
    }
    // The handler has asked for a WebSocket where there is none: the caller's mistake, and nothing for the log.
    if (error instanceof HeadgateError && (error.code === "upgrade_required" || error.code === "websocket_unsupported")) {
      return fault(error.code, error.message);
    }
    this.#log.exception("the handler threw", requestId, error);
    return FAILED;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

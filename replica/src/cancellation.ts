// How a request ends early: its caller is gone or its deadline has passed. Made when someone looks at the signal or must be
// told, so that a request that is simply answered has none.

import { type Fault, HeadgateError, fault } from "@headgate/core";
import type { Deadlines, Watched } from "./deadlines.ts";

export const CALLER_GONE = fault("cancelled", "the caller is gone");
export const EXPIRED = fault("deadline_exceeded", "the request's deadline has passed", { limit: "requestTimeoutMs", mayHaveRun: "true" });

/** One request's end before its time. */
export class Cancellation implements Watched {
  /** Why it ended; null: it did not. */
  reason: Fault | null = null;
  /** Told once when it ends early. */
  whenGone: (() => void) | null = null;
  deadlineMs: number;
  readonly #deadlines: Deadlines;
  readonly #expire: () => void;
  #controller: AbortController | null = null;
  #watched = false;
  #over = false;

  /** `expire` is told when the deadline has passed; it calls cancel(). A deadline of Infinity is none. */
  constructor(deadlines: Deadlines, deadlineMs: number, expire: () => void) {
    this.#deadlines = deadlines;
    this.deadlineMs = deadlineMs;
    this.#expire = expire;
  }

  /** Aborts with a HeadgateError: cancelled or deadline_exceeded. */
  signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.reason !== null) this.#controller.abort(new HeadgateError(this.reason));
      else this.watch();
    }
    return this.#controller.signal;
  }

  /** Sees to it that the deadline is kept. */
  watch(): void {
    if (this.#watched || this.#over || this.reason !== null || this.deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#watched = true;
    this.#deadlines.watch(this);
  }

  expired(): void {
    this.#watched = false;
    this.#expire();
  }

  cancel(reason: Fault): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#unwatch();
    this.#controller?.abort(new HeadgateError(reason));
    this.whenGone?.();
  }

  /** There is no deadline any more. */
  last(): void {
    this.#unwatch();
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** The request has been answered: nothing ends it early any more. */
  over(): void {
    this.#over = true;
    this.whenGone = null;
    this.#unwatch();
  }

  #unwatch(): void {
    if (this.#watched) this.#deadlines.forget(this);
    this.#watched = false;
  }
}

// One call of a program from its dispatch to the last byte of its answer: the CallSink that makes a value of it. Whatever ends the call
// (the answer, a fault, the caller, the reader, the source of the body) ends everything of it here, once.

import { type Fault, HeadgateError, LIMITS, fault } from "@headgate/core";
import { copyOf } from "@headgate/rpc/pieces";
import { AnswerBody } from "./answer-body.ts";
import type { Call, CallSink } from "./call.ts";
import { callFailure } from "./call-failure.ts";
import { BodyPump, type StreamedBody } from "./outgoing-body.ts";
import type { LiveEndpoint, Router } from "./router.ts";

/** An answer that has begun. */
export interface Answer {
  readonly status: number;
  /** Names in lower case and values in turn. */
  readonly headers: readonly string[];
  /** A ResultForm. */
  readonly form: number;
  readonly body: AnswerBody;
}

/** A call under way. */
export class OutgoingCall implements CallSink {
  /** Resolves when the answer begins. */
  readonly answer: Promise<Answer>;
  readonly #router: Router;
  readonly #signals: readonly AbortSignal[];
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #abort = (): void => this.#aborted();
  #call: Call | null = null;
  #body: AnswerBody | null = null;
  #pump: BodyPump | null = null;
  #guard: NodeJS.Timeout | null = null;
  #over = false;

  /** Any of the signals ends the call. None has aborted. */
  constructor(router: Router, signals: readonly AbortSignal[]) {
    this.#router = router;
    this.#signals = signals;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    for (const signal of signals) signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** Sends a call whose sink this is. */
  start(endpoint: LiveEndpoint, call: Call, shardKey: string | null): void {
    this.#call = call;
    this.#router.dispatch(endpoint, call, shardKey);
    if (call.via.length > 0 && !this.#over) this.#guardAgainstItself(call);
  }

  /** Sends the body of a started call as it comes. */
  stream(call: Call, pieces: StreamedBody["pieces"], first: IteratorResult<unknown>, mostBytes: number): void {
    this.#pump = new BodyPump(pieces, mostBytes, {
      give: (piece, end) => this.#router.giveBody(call, piece, end),
      broken: (error) => {
        this.#router.abandon(call);
        this.#end(error instanceof HeadgateError ? failureOf(error, call.requestId) : error);
      },
    });
    if (this.#over) this.#pump.stop();
    else void this.#pump.run(first);
  }

  // --- what the router says ---

  head(status: number, headers: readonly string[], body: Buffer | null, end: boolean, form: number): boolean {
    if (this.#over) return true;
    this.#body = new AnswerBody({
      consumed: (bytes) => {
        if (this.#call !== null) this.#router.consumed(this.#call, bytes);
      },
      cancelled: () => this.#abandon(),
    });
    this.#resolve({ status, headers, form, body: this.#body });
    return this.body(body, end);
  }

  body(piece: Buffer | null, end: boolean): boolean {
    if (this.#over) return true;
    // The program keeps it for as long as it likes.
    this.#body?.push(piece === null ? null : copyOf([piece]), end);
    if (end) this.#settle();
    return true;
  }

  release(): boolean {
    return true;
  }

  fault(failure: Fault): void {
    this.#end(failureOf(failure, this.#call?.requestId ?? ""));
  }

  writable(): void {
    this.#pump?.writable();
  }

  // --- how it ends ---

  #aborted(): void {
    if (this.#over) return;
    const signal = this.#signals.find(({ aborted }) => aborted);
    if (this.#call !== null) this.#router.abandon(this.#call);
    this.#end(abortFailure(signal, this.#call?.requestId ?? ""));
  }

  #abandon(): void {
    if (this.#call !== null) this.#router.abandon(this.#call);
    this.#settle();
  }

  #end(error: unknown): void {
    if (this.#over) return;
    this.#settle();
    if (this.#body === null) this.#reject(error);
    else this.#body.fail(error instanceof Error ? error : new Error("the source of the request's body threw", { cause: error }));
  }

  #settle(): void {
    this.#over = true;
    this.#pump?.stop();
    if (this.#guard !== null) clearTimeout(this.#guard);
    for (const signal of this.#signals) signal.removeEventListener("abort", this.#abort);
  }

  /**
   * A call to a backend that is on its own way already may wait for a place that is held by the very handlers that wait for it, or for
   * others like them. It waits a bounded time.
   */
  #guardAgainstItself(call: Call): void {
    const { backend } = call;
    if (backend === null || !call.via.includes(backend.name)) return;
    const { name } = backend;
    this.#guard = setTimeout(() => {
      if (call.state !== "queued" || backend.openReplicas === 0) {
        // It runs, or it has just been refused by a busy replica and will wait again, or there is no replica at all.
        if (!call.answered) this.#guardAgainstItself(call);
        return;
      }
      this.#router.abandon(call);
      this.fault(
        fault(
          "call_blocked",
          `backend "${name}" was called on behalf of itself, and had no place for the call within ${LIMITS.reentryWaitMs} ms; raise its maxConcurrentQueries`,
          { backend: name, limit: "reentryWaitMs", mayHaveRun: "false" },
          LIMITS.reentryWaitMs,
        ),
      );
    }, LIMITS.reentryWaitMs);
  }
}

/** An error of a call, which knows the request's id. */
export function failureOf(failure: Fault, requestId: string): HeadgateError {
  const { code, message, details, retryAfterMs } = failure;
  return callFailure(
    new HeadgateError(
      { code, message, details: { ...details, requestId }, retryAfterMs },
      failure instanceof Error ? { cause: failure } : {},
    ),
  );
}

/** The error of a call whose signal has aborted: with the reason's own code where that is one of ours. */
export function abortFailure(signal: AbortSignal | undefined, requestId: string): HeadgateError {
  const reason: unknown = signal?.reason;
  if (reason instanceof HeadgateError) return failureOf(reason, requestId);
  return callFailure(new HeadgateError(fault("cancelled", "the request was aborted", { requestId }), { cause: reason }));
}

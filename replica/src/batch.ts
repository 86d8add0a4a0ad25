// One batch that runs: the handler's list in, its list out, each request settled with its own result.
// When a batch leaves and how large it is stands in batcher.ts and model/batch-window.ts.

import { type BatchContext, HeadgateError, fault } from "@headgate/core";

/** A function of a handler that accepts batches. */
export type BatchCall = (requests: unknown, batch: BatchContext) => unknown;

/** A request in a batch. */
export interface BatchItem {
  /** What the handler gets for it. */
  readonly input: unknown;
  /** How deep it lies in a circle of calls (model/circle.ts): it goes with those as deep. */
  readonly depth: number;
  /** When it came, on performance.now()'s scale. */
  readonly cameMs: number;
  /** Its result. Never throws. */
  settled(value: unknown): void;
  /** What was thrown instead. Never throws. */
  failed(error: unknown): void;
  /** The batch that it runs in; null while it waits. */
  batch: RunningBatch | null;
}

/** One batch. */
export class RunningBatch {
  /** What the handler gets: the signal and nothing else of this. */
  readonly #context: BatchContext;
  readonly #items: readonly BatchItem[];
  readonly #ended: () => void;
  #controller: AbortController | null = null;
  #gone = 0;
  #open = 0;

  /** `ended` is told once when every item is settled. */
  constructor(items: readonly BatchItem[], ended: () => void) {
    this.#items = items;
    this.#ended = ended;
    const signal = (): AbortSignal => this.#signal();
    this.#context = {
      get signal() {
        return signal();
      },
    };
  }

  /** The caller of one of its items is gone. */
  left(): void {
    this.#gone++;
    this.#tell();
  }

  /** Calls the handler. Never throws. */
  run(call: BatchCall): void {
    for (const item of this.#items) item.batch = this;
    try {
      const results = call(
        this.#items.map((item) => item.input),
        this.#context,
      );
      if (isThenable(results)) {
        Promise.resolve(results).then(
          (list) => this.#settle(list),
          (error) => this.#fail(error),
        );
      } else this.#settle(results);
    } catch (error) {
      this.#fail(error);
    }
  }

  #signal(): AbortSignal {
    this.#controller ??= new AbortController();
    this.#tell();
    return this.#controller.signal;
  }

  #tell(): void {
    if (this.#gone < this.#items.length || this.#controller === null || this.#controller.signal.aborted) return;
    this.#controller.abort(new HeadgateError(fault("cancelled", "nobody waits for any result of the batch any more")));
  }

  #settle(results: unknown): void {
    const items = this.#items;
    if (!Array.isArray(results) || results.length !== items.length) {
      const got = Array.isArray(results) ? `a list of ${results.length}` : `a ${typeof results}`;
      this.#fail(
        new HeadgateError(
          fault(
            "batch_length_mismatch",
            `the handler accepts batches: for ${items.length} requests it must return a list of ${items.length}, not ${got}`,
          ),
        ),
      );
      return;
    }
    let list: readonly unknown[];
    try {
      // Before any is settled, as reading one may throw.
      list = [...results];
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#open = items.length;
    for (const [index, item] of items.entries()) {
      const result = list[index];
      if (isThenable(result)) {
        Promise.resolve(result).then(
          (value) => this.#one(item, value),
          (error) => this.#oneFailed(item, error),
        );
      } else this.#one(item, result);
    }
  }

  #one(item: BatchItem, result: unknown): void {
    if (result instanceof Error) {
      this.#oneFailed(item, result);
      return;
    }
    item.settled(result);
    this.#oneLess();
  }

  #oneFailed(item: BatchItem, error: unknown): void {
    item.failed(error);
    this.#oneLess();
  }

  #oneLess(): void {
    if (--this.#open === 0) this.#ended();
  }

  #fail(error: unknown): void {
    for (const item of this.#items) item.failed(error);
    this.#ended();
  }
}

/** Whether a value is a promise or like one. What is like one may answer twice; Promise.resolve() hears it once. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

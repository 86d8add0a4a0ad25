// Gathers requests of one method into batches for handlers that accept them. Each item settles alone: an Error in the
// handler's list fails its own item. How large a batch is and how long it waits are settings, not decisions of this room.

import { HeadgateError, fault } from "@headgate/core";

/** Settings of batches. */
export interface BatchLimits {
  /** Null: batches of one. */
  readonly maxBatchSize: number | null;
  /** How long a batch that is not full waits for more, in milliseconds. */
  readonly batchWaitTimeoutMs: number;
}

interface Item {
  readonly input: unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Gathering {
  readonly call: (inputs: unknown) => unknown;
  items: Item[];
  cancelTimer: (() => void) | null;
}

/** Batches by method. */
export class Batcher {
  #limits: BatchLimits;
  readonly #gathering = new Map<string, Gathering>();

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  configure(limits: BatchLimits): void {
    this.#limits = limits;
  }

  /** Adds a request; settles with its own result. */
  add(method: string, input: unknown, call: (inputs: unknown) => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let gathering = this.#gathering.get(method);
      if (gathering === undefined) {
        gathering = { call, items: [], cancelTimer: null };
        this.#gathering.set(method, gathering);
      }
      gathering.items.push({ input, resolve, reject });
      if (gathering.items.length >= (this.#limits.maxBatchSize ?? 1)) this.#flush(gathering);
      else gathering.cancelTimer ??= this.#later(gathering);
    });
  }

  /** Without a waiting time a batch holds what came in one turn of the event loop. */
  #later(gathering: Gathering): () => void {
    if (this.#limits.batchWaitTimeoutMs === 0) {
      const immediate = setImmediate(() => this.#flush(gathering));
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(() => this.#flush(gathering), this.#limits.batchWaitTimeoutMs);
    return () => clearTimeout(timer);
  }

  #flush(gathering: Gathering): void {
    gathering.cancelTimer?.();
    gathering.cancelTimer = null;
    const { items } = gathering;
    gathering.items = [];
    if (items.length > 0) void runBatch(gathering.call, items);
  }
}

async function runBatch(call: (inputs: unknown) => unknown, items: readonly Item[]): Promise<void> {
  try {
    const results = await call(items.map((item) => item.input));
    if (!Array.isArray(results) || results.length !== items.length) {
      const got = Array.isArray(results) ? `a list of ${results.length}` : `a ${typeof results}`;
      throw new HeadgateError(
        fault(
          "batch_length_mismatch",
          `the handler accepts batches: for ${items.length} requests it must return a list of ${items.length}, not ${got}`,
        ),
      );
    }
    const list: readonly unknown[] = results;
    for (const [index, item] of items.entries()) {
      const result = list[index];
      if (result instanceof Error) item.reject(result);
      else item.resolve(result);
    }
  } catch (error) {
    for (const item of items) item.reject(error);
  }
}

// Calls that wait, first come first served. A Set keeps the order and lets any of them leave at once.

import type { Call } from "./call.ts";

/** A queue of calls. */
export class CallQueue {
  #calls = new Set<Call>();

  get size(): number {
    return this.#calls.size;
  }

  push(call: Call): void {
    this.#calls.add(call);
  }

  /** To the head. Rare, so that it may cost a copy. */
  unshift(call: Call): void {
    this.#calls = new Set([call, ...this.#calls]);
  }

  first(): Call | null {
    return this.#calls.values().next().value ?? null;
  }

  remove(call: Call): void {
    this.#calls.delete(call);
  }

  calls(): IterableIterator<Call> {
    return this.#calls.values();
  }
}

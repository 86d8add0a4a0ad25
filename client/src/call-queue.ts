// Calls that wait, first come first served: in the order in which they came in, also those that a replica has sent back.
// A chain through the calls themselves: any of them comes and goes without the others being touched.

import type { Call } from "./call.ts";

/** A queue of calls. */
export class CallQueue {
  #first: Call | null = null;
  #last: Call | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** To its place by its number. Most belong to the end; those that come back, near the head. */
  add(call: Call): void {
    const last = this.#last;
    if (last === null || isBefore(last, call)) {
      this.#link(last, call, null);
      return;
    }
    let behind = this.#first;
    while (behind !== null && isBefore(behind, call)) behind = behind.queueNext;
    this.#link(behind === null ? last : behind.queuePrev, call, behind);
  }

  first(): Call | null {
    return this.#first;
  }

  last(): Call | null {
    return this.#last;
  }

  /** Takes a call out; nothing happens where it is not in. */
  remove(call: Call): void {
    const { queuePrev: before, queueNext: behind } = call;
    if (before === null && this.#first !== call) return;
    if (before === null) this.#first = behind;
    else before.queueNext = behind;
    if (behind === null) this.#last = before;
    else behind.queuePrev = before;
    call.queuePrev = null;
    call.queueNext = null;
    this.#size--;
  }

  /** All that wait, in order. */
  calls(): Call[] {
    const calls: Call[] = [];
    for (let call = this.#first; call !== null; call = call.queueNext) calls.push(call);
    return calls;
  }

  #link(before: Call | null, call: Call, behind: Call | null): void {
    call.queuePrev = before;
    call.queueNext = behind;
    if (before === null) this.#first = call;
    else before.queueNext = call;
    if (behind === null) this.#last = call;
    else behind.queuePrev = call;
    this.#size++;
  }
}

/** Numbers wrap around after 2³², of which half at most are in flight. */
function isBefore(a: Call, b: Call): boolean {
  return ((a.order - b.order) | 0) < 0;
}

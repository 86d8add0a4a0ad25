// The calls of a session by number. Numbers grow and are never used twice; a call stands at its number modulo the size.
// Not a Map: one whose entries come and go makes a new table every few calls, and dead tables in V8's old generation keep
// what newer ones hold alive, which cost a tenth of the bridge's CPU (docs/performance.md).

import type { Call } from "./call.ts";

const FIRST_SIZE = 64;
const LAST_ID = 0xffff_fff0;

/** Calls by number. */
export class CallTable {
  #slots: (Call | null)[] = new Array<Call | null>(FIRST_SIZE).fill(null);
  #mask = FIRST_SIZE - 1;
  #count = 0;
  #nextId = 1;
  #wrapped = false;

  get size(): number {
    return this.#count;
  }

  /** Gives a call its number. */
  add(call: Call): number {
    if (this.#count * 2 > this.#mask) this.#grow();
    // Past the places of calls that run for long.
    while (this.#slots[this.#nextId & this.#mask] !== null) this.#step();
    const id = this.#nextId;
    this.#slots[id & this.#mask] = call;
    this.#count++;
    this.#step();
    return id;
  }

  /** The call of a number; null: it has none any more. */
  get(id: number): Call | null {
    const call = this.#slots[id & this.#mask] ?? null;
    return call !== null && call.streamId === id ? call : null;
  }

  /** Whether a number was ever given to a call. */
  knew(id: number): boolean {
    return id !== 0 && (id < this.#nextId || this.#wrapped);
  }

  /** Takes a call out; false: it was not in. */
  delete(call: Call): boolean {
    const at = call.streamId & this.#mask;
    if (this.#slots[at] !== call) return false;
    this.#slots[at] = null;
    this.#count--;
    return true;
  }

  /** All calls. One may be taken out while they are gone through. */
  *values(): Generator<Call, void, undefined> {
    if (this.#count === 0) return;
    for (const call of this.#slots) if (call !== null) yield call;
  }

  /** Takes all calls out and returns them. */
  clear(): Call[] {
    const calls = [...this.values()];
    this.#slots.fill(null);
    this.#count = 0;
    return calls;
  }

  #step(): void {
    if (this.#nextId < LAST_ID) this.#nextId++;
    else {
      this.#nextId = 1;
      this.#wrapped = true;
    }
  }

  /** Numbers that differ modulo the old size differ modulo the new one. */
  #grow(): void {
    const old = this.#slots;
    const size = old.length * 2;
    this.#slots = new Array<Call | null>(size).fill(null);
    this.#mask = size - 1;
    for (const call of old) if (call !== null) this.#slots[call.streamId & this.#mask] = call;
  }
}

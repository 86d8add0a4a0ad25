// Deadlines of all that is in flight, on a wheel of buckets (Varghese and Lauck, "Hashed and hierarchical timing wheels",
// 1987, scheme 6): in and out cost the same however much is in flight, and a look costs what has come due. Pure: time comes in
// as an argument. No timers here: whoever holds the wheel looks at it.

/** What can stand on a wheel. The last three fields are the wheel's own. */
export interface Due<T> {
  /** On the scale of the times that the wheel is given, in milliseconds. */
  readonly deadline: number;
  /** Number of its bucket; -1: it is on no wheel. */
  dueSlot: number;
  duePrev: T | null;
  dueNext: T | null;
}

/** Width of a bucket, in milliseconds: how late something can be found. */
const BUCKET_MS = 10;
/** Buckets of a round. What is due later than that is passed over once a round. */
const BUCKETS = 4096;

/** A set of things with deadlines. */
export class DeadlineWheel<T extends Due<T>> {
  readonly #heads: (T | null)[] = new Array<T | null>(BUCKETS).fill(null);
  /** Number of the last bucket that was looked at, counted from time 0 and not from the start of a round. */
  #looked = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    // What is due already is found at the next look.
    const at = Math.max(Math.ceil(item.deadline / BUCKET_MS), this.#looked + 1) % BUCKETS;
    const head = this.#heads[at] ?? null;
    item.dueSlot = at;
    item.dueNext = head;
    if (head !== null) head.duePrev = item;
    this.#heads[at] = item;
    this.#size++;
  }

  /** Takes an item out; nothing happens where it is not in. */
  remove(item: T): void {
    const at = item.dueSlot;
    if (at < 0) return;
    const { duePrev: before, dueNext: behind } = item;
    if (before === null) this.#heads[at] = behind;
    else before.dueNext = behind;
    if (behind !== null) behind.duePrev = before;
    item.dueSlot = -1;
    // An item that is gone must not keep its old neighbours from being collected.
    item.duePrev = null;
    item.dueNext = null;
    this.#size--;
  }

  /** Takes out all that is due at a time, and returns it. */
  take(now: number): T[] {
    const due: T[] = [];
    const last = Math.floor(now / BUCKET_MS);
    const first = Math.max(this.#looked + 1, last - BUCKETS + 1);
    this.#looked = Math.max(this.#looked, last);
    if (this.#size === 0) return due;
    for (let bucket = first; bucket <= last; bucket++) {
      let item = this.#heads[bucket % BUCKETS] ?? null;
      while (item !== null) {
        const next: T | null = item.dueNext;
        if (item.deadline <= now) {
          this.remove(item);
          due.push(item);
        }
        item = next;
      }
    }
    return due;
  }
}

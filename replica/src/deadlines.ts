// The deadlines of requests that someone watches, behind one timer: a request whose signal is never looked at costs nothing.
// Whose deadline passes is told once. Requests leave when they are answered; what comes of a deadline is theirs to say.

/** A deadline that is watched. */
export interface Watched {
  /** When it passes, on performance.now()'s scale. */
  readonly deadlineMs: number;
  /** It has passed. */
  expired(): void;
}

/** How often deadlines are looked at, at most: how late expired() can be told. */
const LEAST_WAIT_MS = 5;

/** Watches deadlines. */
export class Deadlines {
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | null = null;
  /** When the timer is due. No watched deadline passes earlier. */
  #dueMs = 0;

  /** How many are watched. */
  get size(): number {
    return this.#watched.size;
  }

  watch(one: Watched): void {
    this.#watched.add(one);
    if (this.#timer === null || one.deadlineMs < this.#dueMs) this.#arm(one.deadlineMs, performance.now());
  }

  forget(one: Watched): void {
    if (!this.#watched.delete(one) || this.#watched.size > 0 || this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(deadlineMs: number, nowMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const waitMs = Math.max(LEAST_WAIT_MS, deadlineMs - nowMs);
    this.#dueMs = nowMs + waitMs;
    // A timer takes at most 2^31 - 1 milliseconds; it looks again then.
    this.#timer = setTimeout(() => this.#look(), Math.min(waitMs, 0x7fff_ffff));
  }

  #look(): void {
    this.#timer = null;
    const nowMs = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const one of this.#watched) {
      if (one.deadlineMs <= nowMs) {
        this.#watched.delete(one);
        one.expired();
      } else if (one.deadlineMs < nextMs) nextMs = one.deadlineMs;
    }
    // One that expired may have led to a watch, and so to a timer.
    if (nextMs < Number.POSITIVE_INFINITY && (this.#timer === null || nextMs < this.#dueMs)) this.#arm(nextMs, nowMs);
  }
}

// What a backend gets done, as this process sees it, and what follows for requests that come while others wait: how long they
// would wait, and when it is worth coming back. Pure: time, counts and chance come in as arguments.
// Only times in which requests waited count: what an idle backend gets done says nothing of what it could. That rule, and
// that an old measurement is worth nothing, are those of BBR's delivery rate (Cardwell and others, 2016).

import { LIMITS } from "@headgate/core";

/** A measurement takes this long at least, in milliseconds of waiting. */
const WINDOW_MS = 100;
/** And so many requests, or once all that run at a time, whichever are more: many of them may end together. */
const WINDOW_REQUESTS = 5;
/** For so long the mean is believed although less is done meanwhile: requests may end together, and bridges have their turns. */
const STALL_MS = 1_000;
/** Time constants of the running mean, in milliseconds of waiting: a backend that gets quicker is believed sooner. */
const SLOWER_MS = 1_000;
const QUICKER_MS = 200;
/** Weight of the newest request in the mean of how long requests run. */
const RUN_WEIGHT = 0.1;
/** A mean to which nothing has come for so long is forgotten. */
const FORGET_MS = 10_000;

/** Part of what is left of a deadline that a request may be expected to take: the rest is for what the estimate does not know. */
const SURE = 0.8;

/** Measures how many requests a backend ends a millisecond when it has enough to do. */
export class LoadEstimate {
  /** The running mean; negative: none. */
  #perMs = -1;
  #measuredAt = 0;
  /** When requests began to wait; negative: none waits. */
  #since = -1;
  /** What had been done then. */
  #done = 0;
  /** Of earlier waits that were too short for a measurement of their own. */
  #heldMs = 0;
  #heldDone = 0;
  /** How long a request runs, as a running mean, in milliseconds. */
  #runsMs = 0;

  /** Requests begin to wait. `done`: how many had been ended by then. */
  begin(now: number, done: number): void {
    this.#since = now;
    this.#done = done;
  }

  /** None waits any more. */
  end(now: number, done: number, inFlight: number): void {
    this.measure(now, done, inFlight);
    if (this.#since < 0) return;
    this.#heldMs += now - this.#since;
    this.#heldDone += done - this.#done;
    this.#since = -1;
  }

  /** A request ended while others waited, that long after it had left for a replica. */
  ran(ms: number): void {
    this.#runsMs += (ms - this.#runsMs) * RUN_WEIGHT;
  }

  /** Takes into the mean what has happened, if it is enough. `inFlight`: how many run at a time. */
  measure(now: number, done: number, inFlight: number): void {
    const ms = this.#waitedMs(now);
    const requests = this.#doneMeanwhile(done);
    if (ms < WINDOW_MS || requests < Math.max(WINDOW_REQUESTS, inFlight)) return;
    const rate = requests / ms;
    const meanMs = rate > this.#perMs ? QUICKER_MS : SLOWER_MS;
    this.#perMs = this.#isKnown(now, ms) ? this.#perMs + (rate - this.#perMs) * (1 - Math.exp(-ms / meanMs)) : rate;
    this.#measuredAt = now;
    this.#heldMs = 0;
    this.#heldDone = 0;
    if (this.#since >= 0) this.begin(now, done);
  }

  /**
   * How long `ahead` requests take to leave, in milliseconds; null where nothing is known. `inFlight`: how many run at a time.
   */
  timeFor(ahead: number, now: number, done: number, inFlight: number): number | null {
    const rate = this.#rate(now, done, inFlight);
    if (rate === null) return null;
    return rate > 0 ? ahead / rate : Number.POSITIVE_INFINITY;
  }

  /** Whether a request that starts now would be done in time, by how long requests run. */
  fits(leftMs: number): boolean {
    return this.#runsMs <= leftMs * SURE;
  }

  /** When a request behind `ahead` others would be done, in milliseconds from now; null where nothing is known. */
  timeUntilDone(ahead: number, now: number, done: number, inFlight: number): number | null {
    const waits = this.timeFor(ahead, now, done, inFlight);
    return waits === null ? null : waits + this.#runsMs;
  }

  /**
   * Requests that end a millisecond; null where nothing is known. Never more than what can have happened since the last
   * measurement, if all that run ended now: a backend that hangs is known by that, long before it can be measured.
   */
  #rate(now: number, done: number, inFlight: number): number | null {
    const ms = this.#waitedMs(now);
    if (!this.#isKnown(now, ms)) return null;
    if (ms < STALL_MS) return this.#perMs;
    return Math.min(this.#perMs, (this.#doneMeanwhile(done) + Math.max(1, inFlight)) / ms);
  }

  /** `ms`: for how long requests have waited since the last measurement. */
  #isKnown(now: number, ms: number): boolean {
    return this.#perMs >= 0 && now - this.#measuredAt <= FORGET_MS + ms;
  }

  #waitedMs(now: number): number {
    return this.#heldMs + (this.#since < 0 ? 0 : now - this.#since);
  }

  #doneMeanwhile(done: number): number {
    return this.#heldDone + (this.#since < 0 ? 0 : done - this.#done);
  }
}

/**
 * Whether a request would miss its deadline. Never where nothing is known, and never while fewer wait than `probes`: those find
 * out whether a backend that was slow still is.
 */
export function isHopeless(waiting: number, probes: number, expectedMs: number | null, leftMs: number): boolean {
  return expectedMs !== null && waiting >= probes && expectedMs > leftMs * SURE;
}

/** What a caller is told who was refused without a known reason to wait longer. */
const LEAST_RETRY_MS = 1_000;

/**
 * When a caller who was refused should come back: when what it met is over, and up to half as much later by chance, so that
 * those who were refused together do not come back together. Whole seconds, as Retry-After has them, in milliseconds.
 * `random` is in [0, 1).
 */
export function retryAfterMs(expectedMs: number | null, random: number): number {
  const spread = (expectedMs ?? LEAST_RETRY_MS) * (1 + random / 2);
  return Math.min(LIMITS.retryAfterMs, Math.max(LEAST_RETRY_MS, Math.ceil(spread / 1000) * 1000));
}

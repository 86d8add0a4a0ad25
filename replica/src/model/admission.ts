// How many requests a replica runs at the same time: strictly at most its limit, whatever the number of bridges. Pure: time
// comes in as an argument.
// No request waits here: a bridge that is refused keeps the request. What waits here is the bridge itself, in a line: it is
// given the next free place when it is its turn, and meanwhile nobody else takes it. So no bridge asks in vain again and again,
// and none is starved by one that is quicker.

/** Why a request is not admitted. */
export type NotAdmitted = "replica_busy" | "draining";

/** How long a place is kept for a bridge that was told of it, in milliseconds. */
export const KEEP_MS = 50;

interface Kept {
  places: number;
  sinceMs: number;
}

/** The door of a replica. `C` is who sends requests: a bridge's session. */
export class Admission<C> {
  limit: number;
  draining = false;
  #inFlight = 0;
  /** Those who were refused, or have more to send than they were given, in order. */
  readonly #line = new Set<C>();
  readonly #kept = new Map<C, Kept>();
  #keptPlaces = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether anybody stands in line, so that next() is worth a call. */
  get contended(): boolean {
    return this.#line.size > 0;
  }

  /** Whether places are kept, which expire() may free. */
  get keeping(): boolean {
    return this.#keptPlaces > 0;
  }

  /** Lets a request in (null), or says why not; then its caller stands in line, unless it is null: one that cannot be told. */
  enter(caller: C | null): NotAdmitted | null {
    if (this.draining) return "draining";
    if (this.#inFlight + this.#keptPlaces < this.limit || (caller !== null && this.#takeKept(caller))) {
      this.#inFlight++;
      return null;
    }
    if (caller !== null) this.#line.add(caller);
    return "replica_busy";
  }

  /** A request that was let in has ended. */
  leave(): void {
    this.#inFlight--;
  }

  /** Who is next in line, if there is room, and for how many requests places are kept for it from now on. */
  next(nowMs: number): { readonly caller: C; readonly places: number } | null {
    const free = this.limit - this.#inFlight - this.#keptPlaces;
    const [caller] = this.#line;
    if (caller === undefined || free <= 0 || this.draining) return null;
    const places = Math.ceil(free / this.#line.size);
    this.#line.delete(caller);
    this.#keptPlaces += places;
    this.#kept.set(caller, { places: (this.#kept.get(caller)?.places ?? 0) + places, sinceMs: nowMs });
    return { caller, places };
  }

  /** A caller has used what was kept for it and has more to send; or it has not, and needs nothing. */
  answer(caller: C, more: boolean): void {
    if (more) this.#line.add(caller);
    else this.forget(caller);
  }

  /** A caller is gone. */
  forget(caller: C): void {
    this.#line.delete(caller);
    this.#keptPlaces -= this.#kept.get(caller)?.places ?? 0;
    this.#kept.delete(caller);
  }

  /** Frees places that were kept for too long. */
  expire(nowMs: number): void {
    for (const [caller, { places, sinceMs }] of this.#kept) {
      if (nowMs - sinceMs < KEEP_MS) continue;
      this.#keptPlaces -= places;
      this.#kept.delete(caller);
    }
  }

  /** Takes a place that was kept for this caller, unless the limit is lower by now. */
  #takeKept(caller: C): boolean {
    const kept = this.#kept.get(caller);
    if (kept === undefined || this.#inFlight >= this.limit) return false;
    this.#keptPlaces--;
    kept.places--;
    if (kept.places === 0) this.#kept.delete(caller);
    return true;
  }
}

// How many requests a replica runs at the same time: strictly at most its limit, whatever the number of bridges. Pure: time
// comes in as an argument.
// No request waits here: a bridge that is refused keeps the request. What waits here is the bridge itself, in a line. A place that
// becomes free goes to whose request is there first, which wastes nothing: mostly it is the bridge whose request has just
// ended. But one that has stood in line for a while gets the next place: it is told, and nobody else takes it meanwhile. So no
// bridge asks in vain again and again, and none is starved by one that is quicker.
// A call in a circle may hold up those inside, and so goes before all that wait: it takes a place that is kept for another, and gets in
// for a request that gathers behind a batch, which has a place and does not run. Whoever starts batches sees to it that no more than the
// limit run (batcher.ts).

/** Why a request is not admitted. */
export type NotAdmitted = "replica_busy" | "draining";

/** How long a bridge stands in line before a place is kept for it, in milliseconds: that place is idle until its request is there. */
export const PATIENCE_MS = 25;
/** How long a place that nobody takes stays free before it is kept for the first in line, in milliseconds. */
export const GRACE_MS = 2;
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
  /** Those who were refused, or have more to send than they were given, in order, and since when. */
  readonly #line = new Map<C, number>();
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

  /** Whether there is a place that is not kept for anybody. */
  get hasRoom(): boolean {
    return this.#inFlight + this.#keptPlaces < this.limit;
  }

  /** Whether places are kept, which expire() may free. */
  get keeping(): boolean {
    return this.#keptPlaces > 0;
  }

  /**
   * Lets a request in (null), or says why not. Null as its caller: one that no place can be kept for. `makeWay`: null, or for a call in a
   * circle how many of those inside do not run and let it go first.
   */
  enter(caller: C | null, makeWay: number | null = null): NotAdmitted | null {
    if (this.draining) return "draining";
    const wayMade = makeWay !== null && this.#inFlight - makeWay < this.limit;
    if (!this.hasRoom && !wayMade && (caller === null || !this.#takeKept(caller))) return "replica_busy";
    this.#inFlight++;
    return null;
  }

  /** A request that was let in has ended. */
  leave(): void {
    this.#inFlight--;
  }

  /** A caller was refused, or has more to send. Who stands in line already keeps its place there. */
  standInLine(caller: C, nowMs: number): void {
    if (!this.#line.has(caller)) this.#line.set(caller, nowMs);
  }

  /**
   * Who is next in line, and for how many requests places are kept for it from now on; null: there is no room, nobody is there, or,
   * unless it is `idle` room that nobody else has taken, the first one has not stood there for long.
   */
  next(nowMs: number, idle: boolean): { readonly caller: C; readonly places: number } | null {
    const [first] = this.#line;
    if (first === undefined || !this.hasRoom || this.draining) return null;
    const [caller, sinceMs] = first;
    if (!idle && nowMs - sinceMs < PATIENCE_MS) return null;
    const places = Math.ceil((this.limit - this.#inFlight - this.#keptPlaces) / this.#line.size);
    this.#line.delete(caller);
    this.#keptPlaces += places;
    this.#kept.set(caller, { places: (this.#kept.get(caller)?.places ?? 0) + places, sinceMs: nowMs });
    return { caller, places };
  }

  /** A caller is gone, or needs nothing. */
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

// The reconcile loop: keys are marked dirty, and each dirty key is reconciled whole, at most once a turn, never twice at once.
// What a key means and what reconciling does is the caller's matter.

/** What came of reconciling a key. */
export type Outcome =
  /** Nothing to do until it is marked again. */
  | { readonly kind: "done" }
  /** Look again at this time, in milliseconds since the Unix epoch. */
  | { readonly kind: "again"; readonly atMs: number };

/** After an error that nobody expected, a key is looked at again this much later. */
const RETRY_MS = 1_000;
/** setTimeout's largest delay. */
const MOST_DELAY_MS = 2 ** 31 - 1;

/** Reconciles keys. */
export class Loop {
  readonly #reconcile: (key: string) => Outcome;
  readonly #onError: (key: string, error: unknown) => void;
  readonly #now: () => number;
  readonly #dirty = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #scheduled = false;
  #closed = false;

  constructor(reconcile: (key: string) => Outcome, onError: (key: string, error: unknown) => void, now: () => number) {
    this.#reconcile = reconcile;
    this.#onError = onError;
    this.#now = now;
  }

  /** Something about a key has changed. */
  mark(key: string): void {
    if (this.#closed) return;
    this.#dirty.add(key);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #run(): void {
    this.#scheduled = false;
    const keys = [...this.#dirty];
    this.#dirty.clear();
    for (const key of keys) {
      if (this.#closed) return;
      try {
        const outcome = this.#reconcile(key);
        this.#later(key, outcome.kind === "again" ? outcome.atMs - this.#now() : null);
      } catch (error) {
        this.#onError(key, error);
        this.#later(key, RETRY_MS);
      }
    }
  }

  #later(key: string, delayMs: number | null): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (delayMs === null) return;
    const timer = setTimeout(
      () => {
        this.#timers.delete(key);
        this.mark(key);
      },
      Math.min(Math.max(delayMs, 1), MOST_DELAY_MS),
    );
    this.#timers.set(key, timer);
  }
}

// Messages to one receiver of a stream, in order. Two kinds: one that keeps all, and one that keeps only the newest,
// so that a slow receiver holds no memory.

/** An endless list of messages that someone reads. */
export class Outbox<T> implements AsyncIterable<T> {
  #waiting: T[] = [];
  #closed = false;
  #wake: (() => void) | null = null;
  readonly #newestOnly: boolean;

  constructor(options: { readonly newestOnly: boolean }) {
    this.#newestOnly = options.newestOnly;
  }

  push(message: T): void {
    if (this.#closed) return;
    if (this.#newestOnly) this.#waiting = [message];
    else this.#waiting.push(message);
    this.#wake?.();
  }

  /** No more messages; what waits is still delivered. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    while (true) {
      const message = this.#waiting.shift();
      if (message !== undefined) yield message;
      else if (this.#closed) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    }
  }
}

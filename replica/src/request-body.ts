// The body of a request on its way to the handler: whole from the start, or pieces that arrive as the handler reads.
// Reading is what gives the sender credit, so that a handler that does not read holds back its own caller alone.

const EMPTY = Buffer.alloc(0);

/** One request's body. Pieces come in through push(); the handler takes them through all() or stream(). */
export class RequestBody {
  #pieces: Buffer[] = [];
  #ended = false;
  #error: Error | null = null;
  #used = false;
  #wake: (() => void) | null = null;
  readonly #grant: (bytes: number) => void;

  /** `grant` gives the sender credit for that many bytes more. */
  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  /** Whether the handler has begun to read. */
  get used(): boolean {
    return this.#used;
  }

  /** Takes the next bytes, and notes whether they are the last. */
  push(piece: Buffer | null, end: boolean): void {
    if (piece !== null && piece.length > 0) this.#pieces.push(piece);
    if (end) this.#ended = true;
    this.#wake?.();
  }

  /** The caller is gone: whoever reads gets this error. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#wake?.();
  }

  #begin(): void {
    if (this.#used) throw new TypeError("the request's body has been read already");
    this.#used = true;
  }

  /** Resolves when there is a piece, the end, or an error. */
  async #more(): Promise<void> {
    while (this.#pieces.length === 0 && !this.#ended && this.#error === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    if (this.#pieces.length === 0 && this.#error !== null) throw this.#error;
  }

  /** The whole body. Rejects with a TypeError where it was read before, or with the reason why it did not come. */
  async all(): Promise<Buffer> {
    this.#begin();
    if (this.#ended && this.#pieces.length <= 1) return this.#pieces.pop() ?? EMPTY;
    const taken: Buffer[] = [];
    while (true) {
      await this.#more();
      const piece = this.#pieces.shift();
      if (piece === undefined) return Buffer.concat(taken);
      taken.push(piece);
      if (!this.#ended) this.#grant(piece.length);
    }
  }

  /** The body as a stream of bytes. */
  stream(): ReadableStream<Uint8Array> {
    this.#begin();
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await this.#more();
        const piece = this.#pieces.shift();
        if (piece === undefined) {
          controller.close();
          return;
        }
        controller.enqueue(new Uint8Array(piece));
        if (!this.#ended) this.#grant(piece.length);
      },
      cancel: () => {
        this.#pieces = [];
      },
    });
  }
}

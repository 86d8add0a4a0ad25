// The body of a request on its way to the handler: whole from the start, or pieces that arrive as the handler reads.
// Reading is what gives the sender credit, so that a handler that does not read holds back its own caller alone, and no
// more than one window of a body lies here.

const EMPTY = Buffer.alloc(0);
const NO_FIELDS: readonly string[] = Object.freeze([]);

/** One request's body. Pieces come in through push(); the handler takes them through all() or stream(). */
export class RequestBody {
  #pieces: Buffer[] = [];
  #ended = false;
  #trailers = NO_FIELDS;
  #error: Error | null = null;
  #used = false;
  #stream: ReadableStream<Uint8Array> | null = null;
  #wake: (() => void) | null = null;
  #atEnd: (() => void) | null = null;
  readonly #grant: (bytes: number) => void;

  /** `grant` gives the sender credit for that many bytes more. */
  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  /** Whether the handler has begun to read. */
  get used(): boolean {
    return this.#used;
  }

  /** Whether all of it has arrived. */
  get complete(): boolean {
    return this.#ended;
  }

  /** Takes the next bytes, and notes whether they are the last and what stands behind them. */
  push(piece: Buffer | null, end: boolean, trailers: readonly string[] = NO_FIELDS): void {
    if (piece !== null && piece.length > 0) this.#pieces.push(piece);
    if (end) {
      this.#ended = true;
      this.#trailers = trailers;
      this.#atEnd?.();
    }
    this.#wake?.();
  }

  /** Nothing more of it comes: whoever reads gets this error. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#error ??= error;
    this.#wake?.();
    this.#atEnd?.();
  }

  /** The fields behind the body, once all of it has arrived. Rejects where it does not. */
  trailers(): Promise<Headers> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (!this.#ended && this.#error !== null) {
          reject(this.#error);
          return;
        }
        const headers = new Headers();
        for (let i = 0; i + 1 < this.#trailers.length; i += 2) headers.append(this.#trailers[i] ?? "", this.#trailers[i + 1] ?? "");
        resolve(headers);
      };
      if (this.#ended || this.#error !== null) settle();
      else {
        const before = this.#atEnd;
        this.#atEnd = () => {
          before?.();
          settle();
        };
      }
    });
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
    if (this.#pieces.length === 0 && !this.#ended && this.#error !== null) throw this.#error;
  }

  /** The whole body. Rejects with a TypeError where it was read before, or with the reason why it did not come. */
  async all(): Promise<Buffer> {
    if (this.#stream?.locked === true) throw new TypeError("the request's body is being read already");
    this.#begin();
    if (this.#ended && this.#pieces.length <= 1) return this.#pieces.pop() ?? EMPTY;
    const taken: Buffer[] = [];
    while (true) {
      await this.#more();
      const piece = this.#pieces.shift();
      if (piece === undefined) return taken.length === 1 ? (taken[0] ?? EMPTY) : Buffer.concat(taken);
      taken.push(piece);
      if (!this.#ended) this.#grant(piece.length);
    }
  }

  /** The body as a stream of bytes, the same at each call. It takes a piece when it is asked for one and never before. */
  stream(): ReadableStream<Uint8Array> {
    this.#stream ??= new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (!this.#used) this.#begin();
          await this.#more();
          const piece = this.#pieces.shift();
          if (piece === undefined) {
            controller.close();
            return;
          }
          // A copy: other requests lie in the same buffer.
          controller.enqueue(new Uint8Array(piece));
          if (!this.#ended) this.#grant(piece.length);
        },
        cancel: () => {
          this.#used = true;
          this.#pieces = [];
        },
      },
      { highWaterMark: 0 },
    );
    return this.#stream;
  }
}

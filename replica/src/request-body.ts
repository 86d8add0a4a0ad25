// The body of a request on its way to the handler: whole from the start, or pieces that arrive as the handler reads.
// Reading is what gives the sender credit, so that a handler that does not read holds back its own caller alone, and no
// more than one window of a body lies here.

import { headersOf } from "@headgate/core";
import { PieceJoiner, copyOf, ownOf } from "@headgate/rpc/pieces";

const EMPTY = Buffer.alloc(0);
const NO_FIELDS: readonly string[] = Object.freeze([]);

/** What stands around a piece that came in a message alone is at most this, and a request's head is more. */
const AROUND_BYTES = 31;

/** One request's body. Pieces come in through push(); the handler takes them through all() or stream(). */
export class RequestBody {
  #pieces: Buffer[] = [];
  #joiner: PieceJoiner | null = null;
  #ended = false;
  #trailers = NO_FIELDS;
  #error: Error | null = null;
  #used = false;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;
  #wake: (() => void) | null = null;
  #atEnd: (() => void) | null = null;
  /** What trailers() gives; null: nobody has asked. */
  #fields: Promise<Headers> | null = null;
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
    if (piece !== null && piece.length > 0) {
      this.#joiner ??= new PieceJoiner();
      this.#joiner.add(this.#pieces, piece);
    }
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

  /** The fields behind the body, once all of it has arrived, the same at each call. Rejects where it does not. */
  trailers(): Promise<Headers> {
    this.#fields ??= new Promise((resolve, reject) => {
      const settle = (): void => {
        if (!this.#ended && this.#error !== null) reject(this.#error);
        else resolve(headersOf(this.#trailers));
      };
      if (this.#ended || this.#error !== null) settle();
      else this.#atEnd = settle;
    });
    return this.#fields;
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

  /**
   * The whole body, to be looked at and not to be kept: other requests may lie in the same buffer. Rejects with a TypeError where
   * it was read before, or with the reason why it did not come.
   */
  async all(): Promise<Buffer> {
    const pieces = await this.#all();
    return pieces.length <= 1 ? (pieces[0] ?? EMPTY) : Buffer.concat(pieces);
  }

  /** The whole body in a buffer of its own. Rejects as all() does. */
  async copy(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(copyOf(await this.#all()).buffer);
  }

  async #all(): Promise<Buffer[]> {
    if (this.#stream?.locked === true) throw new TypeError("the request's body is being read already");
    this.#begin();
    if (this.#ended) return this.#pieces.splice(0);
    const taken: Buffer[] = [];
    const joiner = new PieceJoiner();
    while (true) {
      await this.#more();
      const piece = this.#pieces.shift();
      if (piece === undefined) return taken;
      joiner.add(taken, piece);
      if (!this.#ended) this.#grant(piece.length);
    }
  }

  /** The body as a stream of bytes, the same at each call. It takes a piece when it is asked for one and never before. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#stream ??= new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull: async (controller) => {
          if (!this.#used) this.#begin();
          await this.#more();
          const piece = this.#pieces.shift();
          if (piece === undefined) {
            controller.close();
            return;
          }
          // A buffer of its own, which a handler may keep, change and hand on: other requests lie in the one that came.
          controller.enqueue(ownOf(piece, AROUND_BYTES));
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

// The body of an answer as a program reads it: the replica is given credit for what was taken, and for nothing that only lies here.
// A reader that is slow so holds back its own call alone, and at most a window of its answer is ever held for it.

import { PieceJoiner, ownOf } from "@headgate/rpc/pieces";

const EMPTY = new Uint8Array(0);

/** What happens to the bytes. */
export interface AnswerBodyEvents {
  /** The reader has taken so many bytes. */
  consumed(bytes: number): void;
  /** The reader wants no more. */
  cancelled(): void;
}

/** One answer's body. */
export class AnswerBody {
  readonly #events: AnswerBodyEvents;
  readonly #pieces: Buffer[] = [];
  #joiner: PieceJoiner | null = null;
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(events: AnswerBodyEvents) {
    this.#events = events;
  }

  /** Takes the next bytes, which stay as they are, and notes whether they are the last. What nobody has taken yet is joined. */
  push(piece: Buffer | null, end: boolean): void {
    if (piece !== null && piece.length > 0) {
      this.#joiner ??= new PieceJoiner();
      this.#joiner.add(this.#pieces, piece);
    }
    if (end) this.#ended = true;
    this.#wake?.();
  }

  /** Nothing more comes: whoever reads gets the error, and what lies here is let go of. */
  fail(error: Error): void {
    if (this.#ended || this.#error !== null) return;
    this.#error = error;
    this.#pieces.length = 0;
    this.#wake?.();
  }

  /** The next bytes; null: there are none any more. Rejects where the answer broke off. One read at a time. */
  async next(): Promise<Uint8Array | null> {
    while (this.#pieces.length === 0 && !this.#ended && this.#error === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    if (this.#error !== null) throw this.#error;
    const piece = this.#pieces.shift();
    if (piece === undefined) return null;
    this.#events.consumed(piece.length);
    return ownOf(piece);
  }

  /** The whole body. Beyond `most` bytes the rest is let go of. */
  async all(most = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for (let piece = await this.next(); piece !== null; piece = await this.next()) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes <= most) continue;
      this.cancel();
      break;
    }
    const [only = EMPTY] = pieces;
    if (pieces.length <= 1) return only;
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  /** The reader wants no more. */
  cancel(): void {
    this.#pieces.length = 0;
    if (this.#ended || this.#error !== null) return;
    this.#ended = true;
    this.#wake?.();
    this.#events.cancelled();
  }

  /** The body as a web stream, which takes a piece from here when its reader asks for one and never ahead of that. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await this.next();
          if (piece === null) controller.close();
          else controller.enqueue(piece);
        },
        cancel: () => this.cancel(),
      },
      { highWaterMark: 0 },
    );
  }
}

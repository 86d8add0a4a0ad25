// A streamed answer: pieces of the handler's iterator, cut to frames, sent as far as the bridge's credit goes.
// A reader that is slow so holds back its own iterator alone.

import { LIMITS } from "@headgate/core";
import type { EncodedHeaders } from "@headgate/proto/wire";
import { NO_FIELDS, type StreamAnswer, pieceOf } from "./result.ts";

/** The way out. */
export interface StreamOut {
  /** Bytes that may be sent now. */
  credit(): number;
  head(status: number, headers: EncodedHeaders): void;
  whole(status: number, headers: EncodedHeaders, body: Uint8Array | null): void;
  piece(piece: Uint8Array): void;
  end(): void;
}

/** One answer on its way. */
export class AnswerStream {
  readonly #answer: StreamAnswer;
  readonly #out: StreamOut;
  #cancelled = false;
  #wake: (() => void) | null = null;

  constructor(answer: StreamAnswer, out: StreamOut) {
    this.#answer = answer;
    this.#out = out;
  }

  /** Sends all of it. Rejects with what the handler's iterator throws. */
  async run(): Promise<void> {
    const { status, pieces } = this.#answer;
    const first = await pieces.next();
    if (this.#cancelled) return this.#stop();
    if (first.done === true) {
      this.#out.whole(status, this.#answer.headers ?? NO_FIELDS, null);
      return;
    }
    const { bytes, headers } = pieceOf(first.value);
    const fields = this.#answer.headers ?? headers;
    let next = pieces.next();
    if (bytes.length <= LIMITS.bodyChunkBytes && (await endsNow(next))) {
      this.#out.whole(status, fields, bytes);
      return;
    }
    this.#out.head(status, fields);
    await this.#send(bytes);
    while (!this.#cancelled) {
      const piece = await next;
      if (piece.done === true) {
        this.#out.end();
        return;
      }
      await this.#send(pieceOf(piece.value).bytes);
      if (this.#cancelled) break;
      next = pieces.next();
    }
    await this.#stop();
  }

  /** There is more credit. */
  wake(): void {
    this.#wake?.();
  }

  /** The caller is gone: the iterator is told, at the latest with its next piece. */
  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#wake?.();
    // A generator that waits for something cannot be interrupted; its return() takes effect when it goes on.
    void this.#stop().catch(() => undefined);
  }

  async #stop(): Promise<void> {
    await this.#answer.pieces.return?.();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      while (this.#out.credit() <= 0) {
        if (this.#cancelled) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
      if (this.#cancelled) return;
      const size = Math.min(rest.length, this.#out.credit(), LIMITS.bodyChunkBytes);
      this.#out.piece(size === rest.length ? rest : rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  }
}

/** Whether a stream ends within this turn of the event loop, as the body of a Response that was made of a string does. */
async function endsNow(next: Promise<IteratorResult<unknown>> | IteratorResult<unknown>): Promise<boolean> {
  const later = new Promise<null>((resolve) => {
    setImmediate(() => resolve(null));
  });
  const settled = await Promise.race([Promise.resolve(next).catch(() => null), later]);
  return settled?.done === true;
}

// A streamed answer: pieces of the handler's iterator, sent as far as the caller's credit goes. All pieces that come within
// one turn of the event loop leave in one frame, so that many small ones cost little; a reader that is slow holds back its
// own iterator alone, which is never asked for more while a credit's worth waits.

import { LIMITS } from "@headgate/core";
import type { EncodedHeaders } from "@headgate/proto/wire";
import { NO_FIELDS, type StreamAnswer, fieldsOfPiece, pieceOf } from "./result.ts";

/** The way out. */
export interface StreamOut {
  /** Bytes that may be sent now. */
  readonly credit: number;
  /** Asks for one flush() at the end of this turn, or a little later where it is not urgent. */
  gather(stream: AnswerStream, urgent: boolean): void;
  /** Sends the head, the first bytes, and with `end` all of it. */
  start(status: number, headers: EncodedHeaders, body: string | Uint8Array | null, end: boolean): void;
  /** Sends further bytes, or the end. At most bodyChunkBytes. */
  more(body: string | Uint8Array | null, end: boolean): void;
}

/** Pieces taken in one turn: an iterator that never waits must not keep the event loop. */
const PIECES_A_TURN = 256;
/** So much does not wait for more. */
const MUCH_BYTES = 4 * 1024;
/** Characters of text that fit a frame whatever they are. */
const FRAME_CHARS = Math.floor(LIMITS.bodyChunkBytes / 3);

/** One answer on its way. */
export class AnswerStream {
  readonly #answer: StreamAnswer;
  readonly #out: StreamOut;
  readonly #next = (result: IteratorResult<unknown>): void => {
    this.#pulling = false;
    if (this.#over) {
      this.#stopped();
      return;
    }
    try {
      this.#take(result);
    } catch (error) {
      // It is no result of an iterator.
      this.#failed(error);
    }
    this.#pull();
  };
  readonly #goOn = (): void => this.#pull();
  readonly #threw = (error: unknown): void => {
    this.#pulling = false;
    if (this.#over) this.#stopped();
    else this.#failed(error);
  };
  #headers: EncodedHeaders | null;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  /** What waits to be sent: text alone, or bytes. */
  #text = "";
  #parts: Uint8Array[] = [];
  #held = 0;
  #taken = 0;
  #begun = false;
  #done = false;
  #pulling = false;
  #gathered = false;
  /** Cancelled or failed: what the iterator still gives goes nowhere. */
  #over = false;

  constructor(answer: StreamAnswer, out: StreamOut) {
    this.#answer = answer;
    this.#out = out;
    this.#headers = answer.headers;
  }

  /** Sends all of it; resolves when that is done, or when the iterator has ended after a cancel. Rejects with what it throws. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#over) this.#stop();
      else {
        if (this.#answer.headFirst) this.#ask();
        this.#pull();
      }
    });
  }

  /** Bytes that wait to be sent. */
  get held(): number {
    return this.#held;
  }

  /** There is more credit. */
  wake(): void {
    if (this.#over) return;
    if (this.#held > 0 || this.#done) this.#ask();
    else this.#pull();
  }

  /** The caller is gone: the iterator is told at once, and what it still gives goes nowhere. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#drop();
    this.#stop();
  }

  /** Sends what has gathered, as far as the credit goes. At the end of a turn. */
  flush(): void {
    this.#gathered = false;
    this.#taken = 0;
    this.#sendHeld();
    if (this.#over) return;
    if (this.#done && this.#held === 0) this.#send(null);
    else if (!this.#begun && this.#answer.headFirst) this.#send(null);
    // When what was sent has left: the handler may do with its pieces what it likes as soon as it is asked for the next one.
    queueMicrotask(this.#goOn);
  }

  /** Takes pieces while the iterator has them at hand and the credit allows. */
  #pull(): void {
    while (!this.#done && !this.#over && !this.#pulling && this.#held < this.#out.credit && this.#taken < PIECES_A_TURN) {
      this.#taken++;
      try {
        const next = this.#answer.pieces.next();
        if ("then" in next) {
          this.#pulling = true;
          next.then(this.#next, this.#threw);
        } else this.#take(next);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #take(result: IteratorResult<unknown>): void {
    if (result.done === true) this.#done = true;
    else {
      const { encode } = this.#answer;
      try {
        this.#add(encode === null ? result.value : encode(result.value));
      } catch (error) {
        this.#failed(error);
        this.#stop();
        return;
      }
    }
    this.#ask();
  }

  #add(value: unknown): void {
    const piece = pieceOf(value);
    this.#headers ??= fieldsOfPiece(value);
    this.#held += piece.length;
    if (typeof piece === "string" && this.#parts.length === 0) {
      this.#text += piece;
      return;
    }
    if (piece.length === 0) return;
    this.#textToParts();
    this.#parts.push(typeof piece === "string" ? this.#encoded(piece) : piece);
  }

  /** Text as bytes; it counts as these from here on. */
  #encoded(text: string): Buffer {
    const bytes = Buffer.from(text, "utf8");
    this.#held += bytes.length - text.length;
    return bytes;
  }

  #textToParts(): void {
    if (this.#text !== "") this.#parts.push(this.#encoded(this.#text));
    this.#text = "";
  }

  #ask(): void {
    if (this.#gathered) return;
    this.#gathered = true;
    this.#out.gather(this, !this.#begun || this.#done || this.#held >= MUCH_BYTES);
  }

  /** Sends what waits, as far as the credit goes. */
  #sendHeld(): void {
    if (this.#text !== "" && this.#out.credit > 0) this.#sendText();
    while (this.#parts.length > 0 && this.#out.credit > 0) this.#sendPart();
    if (this.#parts.length === 0 && this.#text === "" && this.#held !== 0) this.#lost();
  }

  /** Pieces have other sizes than when they were given: their memory was taken away or resized. */
  #lost(): void {
    this.#drop();
    this.#failed(new TypeError("a piece of the answer was taken away before it was sent"));
    this.#stop();
  }

  #sendText(): void {
    const text = this.#text;
    if (text.length > FRAME_CHARS || text.length * 3 > this.#out.credit) {
      this.#textToParts();
      return;
    }
    this.#text = "";
    this.#held = 0;
    this.#send(text);
  }

  /** Sends the next frame's worth of bytes: small pieces together, a large one alone. */
  #sendPart(): void {
    const room = Math.min(this.#out.credit, LIMITS.bodyChunkBytes);
    const parts = this.#parts;
    const first = parts[0] ?? NO_BYTES;
    if (first.length >= room) {
      if (first.length === room) parts.shift();
      else parts[0] = first.subarray(room);
      this.#held -= room;
      this.#send(first.length === room ? first : first.subarray(0, room));
      return;
    }
    let count = 0;
    let bytes = 0;
    for (; count < parts.length; count++) {
      const size = parts[count]?.length ?? 0;
      if (size === 0) {
        this.#lost();
        return;
      }
      if (bytes + size > room) break;
      bytes += size;
    }
    const together = parts.splice(0, count);
    this.#held -= bytes;
    this.#send(count === 1 ? first : Buffer.concat(together, bytes));
  }

  /** Sends a frame, with the head where it is the first and with the end where it is the last. */
  #send(body: string | Uint8Array | null): void {
    const last = this.#done && this.#held === 0;
    if (this.#begun) this.#out.more(body, last);
    else this.#out.start(this.#answer.status, this.#headers ?? NO_FIELDS, body, last);
    this.#begun = true;
    if (!last) return;
    this.#over = true;
    this.#resolve();
  }

  #failed(error: unknown): void {
    if (this.#over) return;
    // What came before the error and can still be sent is sent, but not as if it were all.
    if (this.#begun) this.#sendHeld();
    this.#over = true;
    this.#drop();
    this.#reject(error);
  }

  #drop(): void {
    this.#text = "";
    this.#parts = [];
    this.#held = 0;
  }

  /** Ends the iterator. A generator that waits for something cannot be interrupted: it ends when it goes on. */
  #stop(): void {
    const { pieces } = this.#answer;
    const ended = (): void => this.#resolve();
    // Without a return() there is nothing to be told; what it makes at the moment is the last of it.
    if (typeof pieces.return !== "function") {
      if (!this.#pulling) ended();
      return;
    }
    try {
      const returned = pieces.return();
      if ("then" in returned) returned.then(ended, ended);
      else ended();
    } catch {
      ended();
    }
  }

  /** What an iterator without return() made last has come. */
  #stopped(): void {
    if (typeof this.#answer.pieces.return !== "function") this.#resolve();
  }
}

const NO_BYTES = new Uint8Array();

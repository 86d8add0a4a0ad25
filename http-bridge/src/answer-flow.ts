// The pieces of a streamed answer on their way to its connection: whose memory they lie in until when, what waits while the connection takes
// nothing, and when the replica gets credit for more. What a piece is for the answer is decided in exchange.ts.

import { PieceJoiner, lengthOf } from "@headgate/client/data-plane";
import type { Responder } from "./responder.ts";

/** Whose answer it is. */
export interface FlowOwner {
  /** Whether nothing more of the answer is to be sent. */
  readonly over: boolean;
  /** The connection has taken so many bytes. */
  consumed(bytes: number): void;
}

/** One answer's pieces. */
export class AnswerFlow {
  readonly #to: Responder;
  readonly #owner: FlowOwner;
  /** Bytes that leave with release(). */
  #gathered = 0;
  /** Bytes that the connection has not taken yet. */
  #untaken = 0;
  /** The end of them, which the connection has not been given: in memory of its own, small pieces joined. */
  #waiting: Buffer[] = [];
  #joiner: PieceJoiner | null = null;

  constructor(to: Responder, owner: FlowOwner) {
    this.#to = to;
    this.#owner = owner;
  }

  /** Sends a piece, or lets it wait. Returns whether it is in use no more, or release() will be asked anyhow. */
  send(piece: Buffer): boolean {
    const bytes = piece.length;
    if (this.#untaken > 0) {
      this.#untaken += bytes;
      this.#joiner ??= new PieceJoiner();
      this.#joiner.add(this.#waiting, Buffer.from(piece));
      return true;
    }
    const state = this.#to.write(piece);
    if (state !== "gathered") {
      this.#credit(bytes, state === "queued");
      return true;
    }
    const asked = this.#gathered > 0;
    this.#gathered += bytes;
    return asked;
  }

  /** What was gathered leaves. Returns whether it is in use no more. */
  release(): boolean {
    const released = this.#to.flush();
    const bytes = this.#gathered;
    this.#gathered = 0;
    if (bytes > 0 && !this.#owner.over) this.#credit(bytes, this.#to.full);
    return released;
  }

  /** Before the last piece: what waits leaves first. */
  finish(): void {
    if (this.#waiting.length > 0) this.#sendWaiting();
  }

  /** Gives credit for what was sent: at once, or where too much waits when all of it is taken, however many pieces that are. */
  #credit(bytes: number, waits: boolean): void {
    if (!waits && this.#untaken === 0) {
      this.#owner.consumed(bytes);
      return;
    }
    this.#untaken += bytes;
    if (this.#untaken > bytes) return;
    this.#to.onDrain(() => {
      if (this.#owner.over) return;
      const waiting = lengthOf(this.#waiting);
      const taken = this.#untaken - waiting;
      this.#untaken = 0;
      this.#owner.consumed(taken);
      if (waiting > 0) this.#credit(waiting, this.#sendWaiting());
    });
  }

  /** Gives the connection what waits for it. Returns whether it waits there again. */
  #sendWaiting(): boolean {
    let queued = false;
    for (const piece of this.#waiting.splice(0)) if (this.#to.write(piece) === "queued") queued = true;
    this.#to.flush();
    return queued || this.#to.full;
  }
}

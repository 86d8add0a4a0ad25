// What a connection has been given and not taken, as an exchange hears of it: for a response of HTTP/1.1 and a stream of HTTP/2 alike.

import type { Writable } from "node:stream";
import { type PieceState, SMALL_BYTES } from "./responder.ts";

/** The backlog of one answer. */
export class Backlog {
  #listener: (() => void) | null = null;
  /** To be called when a piece is taken that was queued. */
  readonly taken = (): void => {
    const listener = this.#listener;
    this.#listener = null;
    listener?.();
  };

  /** Sends a copy of a piece. */
  write(to: Pick<Writable, "write" | "writableLength">, piece: Buffer): PieceState {
    const behind = piece.length < SMALL_BYTES && to.writableLength > 0;
    // With a call back in any case: a response may hold a piece until the turn's end, and its connection not know yet that it is full.
    const room = to.write(Buffer.from(piece), this.taken);
    return room && !behind ? "taken" : "queued";
  }

  /** Calls back once, when the connection that is full is not so any more, or the piece that was queued last is taken. */
  onDrain(connection: Pick<Writable, "once" | "writableNeedDrain">, listener: () => void): void {
    if (connection.writableNeedDrain) connection.once("drain", listener);
    else this.#listener = listener;
  }
}

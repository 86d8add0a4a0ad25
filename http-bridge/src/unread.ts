// The part of a body that comes while nobody reads it: up to a high-water mark of it lies in Node's stream, and there as many objects as
// the caller has cut it into. Small pieces are joined before they get there, so that a stated number of bytes is that much memory.

import type { Readable } from "node:stream";
import { PieceJoiner } from "@headgate/client/data-plane";

/** Joins what comes of a body while it is paused. How much that is, is as it was: its high-water mark, then its sender has to wait. */
export function joinUnread(body: Readable): void {
  // Most bodies are never paused.
  body.once("pause", () => {
    const push = body.push.bind(body);
    const joiner = new PieceJoiner();
    let waiting: Buffer[] = [];
    let bytes = 0;
    const handOver = (): void => {
      const pieces = waiting;
      waiting = [];
      bytes = 0;
      for (const piece of pieces) push(piece);
    };
    body.on("resume", handOver);
    body.push = (piece: unknown): boolean => {
      if (piece instanceof Buffer && body.isPaused()) {
        joiner.add(waiting, piece);
        bytes += piece.length;
        return body.readableLength + bytes < body.readableHighWaterMark;
      }
      handOver();
      return push(piece);
    };
  });
}

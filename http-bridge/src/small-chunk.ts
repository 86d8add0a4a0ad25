// The short way out for a small piece of a streamed response: its chunk as one string in one write. It does what write() of Node's
// ServerResponse comes to in that case, without four writes that are gathered for a later one, which cost a quarter of an event
// of a stream (docs/performance.md). Anything unusual takes the general way, and so does a Node whose internals look different.

import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";

/** The fields of Node's OutgoingMessage that say how far a response has come. */
interface Internals {
  readonly _headerSent: boolean;
  readonly chunkedEncoding: boolean;
  readonly outputData: readonly unknown[];
}

/** Pieces from this size on are not worth a copy. */
const SMALL_BYTES = 4 * 1024;
/** Length and line ends of a chunk. */
const FRAME_BYTES = 16;

/** Whether this Node's ServerResponse has the fields that are read here. */
const KNOWN_INTERNALS = ((): boolean => {
  const probe = new ServerResponse(new IncomingMessage(new Socket()));
  return ["_headerSent", "chunkedEncoding", "outputData"].every((name) => name in probe);
})();

/** Sends a piece the short way; false: it has to take the general one. */
export function sendSmallChunk(res: ServerResponse, piece: Buffer): boolean {
  if (!KNOWN_INTERNALS || piece.length >= SMALL_BYTES) return false;
  const { socket } = res;
  // ServerResponse has these fields (checked above); its type keeps them to itself.
  const { _headerSent, chunkedEncoding, outputData } = res as unknown as Internals;
  if (socket === null || !_headerSent || !chunkedEncoding || outputData.length > 0 || res.writableEnded) return false;
  // Where the connection is full the caller has to hear of it, which is the general way's matter.
  const { writableLength, writableHighWaterMark } = socket;
  if (!socket.writable || socket.writableNeedDrain || writableLength + piece.length + FRAME_BYTES >= writableHighWaterMark) return false;
  socket.write(`${piece.length.toString(16)}\r\n${piece.toString("latin1")}\r\n`, "latin1");
  return true;
}

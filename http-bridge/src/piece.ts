// The short way out for a piece of a streamed response of HTTP/1.1. A small one leaves as one string in one write; larger ones are gathered,
// so that all that came together from a replica leaves in one. It does what write() of Node's ServerResponse comes to in that case, without
// the general machinery, which copies nothing but holds what it is given until later (docs/performance.md). Anything unusual takes the
// general way, and so does a Node whose internals look different.

import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { type PieceState, SMALL_BYTES } from "./responder.ts";

/** The fields of Node's OutgoingMessage that say how far a response has come. */
interface Internals {
  readonly _headerSent: boolean;
  readonly chunkedEncoding: boolean;
  readonly outputData: readonly unknown[];
}

/** Length and line ends of a chunk. */
const FRAME_BYTES = 16;

/** Whether this Node's ServerResponse has the fields that are read here. */
const KNOWN_INTERNALS = ((): boolean => {
  const probe = new ServerResponse(new IncomingMessage(new Socket()));
  return ["_headerSent", "chunkedEncoding", "outputData"].every((name) => name in probe);
})();

/** Sends the pieces of one response. */
export class PieceWriter {
  readonly #res: ServerResponse;
  /** The connection that holds gathered pieces back; null: there are none. */
  #corked: Socket | null = null;

  readonly #taken: () => void;

  /** `taken` is called when a piece that was queued has left. */
  constructor(res: ServerResponse, taken: () => void) {
    this.#res = res;
    this.#taken = taken;
  }

  /** Sends a piece the short way; null: it has to take the general one. */
  send(piece: Buffer): PieceState | null {
    const res = this.#res;
    const { socket } = res;
    if (!KNOWN_INTERNALS || socket === null || !socket.writable || res.writableEnded) return null;
    // ServerResponse has these fields (checked above); its type keeps them to itself.
    const internals = res as unknown as Internals;
    if (internals.outputData.length > 0) return null;
    if (this.#corked === null) {
      const { writableLength } = socket;
      if (piece.length < SMALL_BYTES && internals._headerSent) {
        if (writableLength === 0) {
          socket.write(chunkText(piece, internals.chunkedEncoding), "latin1");
          return "taken";
        }
        // What has gone the general way in this turn lies in the response until the turn's end, and must not be overtaken.
        if (res.writableCorked > 0 || socket.writableNeedDrain) return null;
        if (writableLength + piece.length + FRAME_BYTES >= socket.writableHighWaterMark) return null;
        socket.write(chunkText(piece, internals.chunkedEncoding), "latin1", this.#taken);
        return "queued";
      }
      // Behind others a piece would be held for as long as its caller likes.
      if (writableLength > 0) return null;
      socket.cork();
      this.#corked = socket;
      if (!internals._headerSent) res.flushHeaders();
    }
    if (piece.length < SMALL_BYTES) socket.write(chunkText(piece, internals.chunkedEncoding), "latin1");
    else if (internals.chunkedEncoding) {
      socket.write(`${piece.length.toString(16)}\r\n`, "latin1");
      socket.write(piece);
      socket.write("\r\n", "latin1");
    } else socket.write(piece);
    return "gathered";
  }

  /** Sends what was gathered. Returns whether the system has taken all of it; else the pieces are in use until it has. */
  flush(): boolean {
    const socket = this.#corked;
    if (socket === null) return true;
    this.#corked = null;
    socket.uncork();
    return socket.writableLength === 0;
  }
}

function chunkText(piece: Buffer, chunked: boolean): string {
  const text = piece.toString("latin1");
  return chunked ? `${piece.length.toString(16)}\r\n${text}\r\n` : text;
}

// Frames from one caller's WebSocket: the Receiver of package ws, which checks every rule of RFC 6455 for what a client sends
// (masks, fragments, UTF-8, lengths, close codes), behind the few calls that a connection needs. Its types are not published.

import type { EventEmitter } from "node:events";
import { PieceJoiner } from "@headgate/client/data-plane";
import type { WebSocketClose } from "@headgate/core";
import * as ws from "ws";

/** What a caller sends. After close() or broken() nothing more comes. */
export interface FrameEvents {
  /** A whole message. Text is valid UTF-8. */
  message(data: Buffer, binary: boolean): void;
  ping(payload: Buffer): void;
  /** The caller closes. */
  close(close: WebSocketClose): void;
  /** What came is against the protocol or a limit: the connection is to be closed with this code. */
  broken(code: number): void;
}

/** The part of ws's Receiver that is used here; of what it keeps to itself, where bytes wait. */
interface Receiver extends EventEmitter {
  write(chunk: Buffer): boolean;
  /** Reads of a frame that is not whole. */
  readonly _buffers: Buffer[];
  /** Pieces of a message that is not whole: slices of the reads that they came in. Another list for each message. */
  readonly _fragments: Buffer[];
}

interface ReceiverOptions {
  readonly isServer: true;
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
}

// Exported by ws (wrapper.mjs), and missing in its types.
const { Receiver } = ws as unknown as { readonly Receiver: new (options: ReceiverOptions) => Receiver };

/** Pieces of one message, and reads of one frame, at most. */
const MOST_FRAGMENTS = 16_384;
const MOST_CHUNKS = 262_144;

/** Codes of ws's errors that are not plainly against the protocol. */
const CODES: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
};

/** Reads frames of a connection. */
export class FrameReader {
  readonly #receiver: Receiver;
  #reads: PieceJoiner | null = null;
  #pieces: PieceJoiner | null = null;
  /** The list of the message that is not whole, and how many of it are joined. */
  #joinedOf: readonly Buffer[] | null = null;
  #joined = 0;

  /** `maxMessageBytes`: the most that a message may have. */
  constructor(events: FrameEvents, maxMessageBytes: number) {
    const receiver = new Receiver({
      isServer: true,
      maxPayload: maxMessageBytes,
      maxFragments: MOST_FRAGMENTS,
      maxBufferedChunks: MOST_CHUNKS,
    });
    receiver.on("message", (data: Buffer, binary: boolean) => events.message(data, binary));
    receiver.on("ping", (payload: Buffer) => events.ping(payload));
    receiver.on("conclude", (code: number, reason: Buffer) => events.close({ code, reason: reason.toString() }));
    receiver.on("error", (error: Error & { readonly code?: string }) => events.broken(CODES[error.code ?? ""] ?? 1002));
    this.#receiver = receiver;
  }

  /** Reads on. What comes of it comes before this returns. */
  push(chunk: Buffer): void {
    const receiver = this.#receiver;
    receiver.write(chunk);
    if (receiver._buffers.length > 1) this.#joinReads(receiver._buffers);
    if (receiver._fragments.length > 0) this.#joinPieces(receiver._fragments);
  }

  /** A frame that comes in small reads takes memory for its bytes, not for its reads. */
  #joinReads(reads: Buffer[]): void {
    const last = reads.pop();
    if (last !== undefined) (this.#reads ??= new PieceJoiner()).add(reads, last);
  }

  /** A small piece does not keep the read that it came in, whatever else that has brought. */
  #joinPieces(pieces: Buffer[]): void {
    if (pieces !== this.#joinedOf) {
      this.#joinedOf = pieces;
      this.#joined = 0;
    }
    if (pieces.length === this.#joined) return;
    this.#pieces ??= new PieceJoiner();
    for (const piece of pieces.splice(this.#joined)) this.#pieces.add(pieces, piece);
    this.#joined = pieces.length;
  }
}

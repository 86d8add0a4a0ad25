// Frames from one caller's WebSocket: the Receiver of package ws, which checks every rule of RFC 6455 for what a client sends
// (masks, fragments, UTF-8, lengths, close codes), behind the few calls that a connection needs. Its types are not published.

import type { EventEmitter } from "node:events";
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

/** The part of ws's Receiver that is used here. */
interface Receiver extends EventEmitter {
  write(chunk: Buffer): boolean;
}

interface ReceiverOptions {
  readonly isServer: true;
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
}

// Exported by ws (wrapper.mjs), and missing in its types.
const { Receiver } = ws as unknown as { readonly Receiver: new (options: ReceiverOptions) => Receiver };

/** Pieces of one message, and reads of one frame, that are kept at most: each costs memory of its own. */
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
    this.#receiver.write(chunk);
  }
}

// gRPC's length-prefixed messages out of a stream of bytes. Pure of any socket.
// A message that lies whole in one chunk is handed on as a slice of it; only one that is torn over chunks is copied, into memory of its own.

import { LIMITS, fault, HeadgateError } from "@headgate/core";

/** Bytes before a message: its flag and its length. */
export const PREFIX_BYTES = 5;
/** Flag of a message that holds trailers. */
export const TRAILERS_FLAG = 0x80;

/** Cuts chunks into messages. One for each direction of a stream. */
export class MessageSplitter {
  readonly #onMessage: (message: Buffer) => void;
  readonly #maxBytes: number;
  /** The message that has begun, in memory of its own once its length is known. */
  #begun: Buffer = NOTHING;
  #begunBytes = 0;

  /** `maxBytes` bounds one message. */
  constructor(onMessage: (message: Buffer) => void, maxBytes: number = LIMITS.grpcMessageBytes) {
    this.#onMessage = onMessage;
    this.#maxBytes = maxBytes;
  }

  /** Whether a message has begun and not ended. */
  get partial(): boolean {
    return this.#begunBytes > 0;
  }

  /** Takes the next chunk. Throws a HeadgateError where it is not gRPC or a message is too large. */
  push(chunk: Buffer): void {
    let at = 0;
    while (this.#begunBytes > 0) {
      // Copied as it comes, while the processor still has it at hand.
      const size = Math.min(this.#begun.length - this.#begunBytes, chunk.length - at);
      chunk.copy(this.#begun, this.#begunBytes, at, at + size);
      this.#begunBytes += size;
      at += size;
      if (this.#begunBytes < this.#begun.length) return;
      const begun = this.#begun;
      this.#begunBytes = 0;
      this.#begun = NOTHING;
      // A prefix alone: now it is known how much follows.
      this.#take(begun, 0);
    }
    this.#take(chunk, at);
  }

  /** Hands on the messages from a position on, and holds what is left. */
  #take(bytes: Buffer, from: number): void {
    let at = from;
    while (bytes.length - at >= PREFIX_BYTES) {
      const end = at + PREFIX_BYTES + messageLength(bytes, at, this.#maxBytes, false);
      if (end > bytes.length) {
        this.#hold(bytes, at, end - at);
        return;
      }
      this.#onMessage(bytes.subarray(at + PREFIX_BYTES, end));
      at = end;
    }
    if (at < bytes.length) this.#hold(bytes, at, PREFIX_BYTES);
  }

  #hold(bytes: Buffer, at: number, wanted: number): void {
    this.#begun = Buffer.allocUnsafeSlow(wanted);
    this.#begunBytes = bytes.copy(this.#begun, 0, at);
  }
}

const NOTHING = Buffer.alloc(0);

/** The length of the message whose prefix stands at `at`. Throws a HeadgateError where it is none that is taken. */
export function messageLength(bytes: Buffer, at: number, maxBytes: number, trailers: boolean): number {
  const flag = bytes[at];
  if (flag !== 0 && (flag !== TRAILERS_FLAG || !trailers)) throw broken("a message is compressed, which was not agreed on");
  const length = bytes.readUInt32BE(at + 1);
  if (length > maxBytes) throw broken(`a message of ${length} bytes is over the limit of ${maxBytes} (grpcMessageBytes)`);
  return length;
}

function broken(message: string): HeadgateError {
  return new HeadgateError(fault("replica_protocol", message));
}

/** A message with its prefix, in one buffer. */
export function prefixed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

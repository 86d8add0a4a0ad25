// gRPC's length-prefixed messages out of a stream of bytes. Pure of any socket.
// A message that lies whole in one chunk is handed on as a slice of it; only one that is torn over chunks is copied.

import { LIMITS, fault, HeadgateError } from "@headgate/core";

const PREFIX = 5;
/** Flag of a message that holds trailers. */
const TRAILERS = 0x80;

/** Cuts chunks into messages. One for each direction of a stream. */
export class MessageSplitter {
  readonly #onMessage: (message: Buffer) => void;
  readonly #maxBytes: number;
  readonly #onTrailers: ((bytes: Buffer) => void) | null;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #wanted = 0;

  /** `maxBytes` bounds one message; `onTrailers` takes messages whose flag is 0x80, which are refused without it. */
  constructor(
    onMessage: (message: Buffer) => void,
    maxBytes: number = LIMITS.grpcMessageBytes,
    onTrailers: ((bytes: Buffer) => void) | null = null,
  ) {
    this.#onMessage = onMessage;
    this.#maxBytes = maxBytes;
    this.#onTrailers = onTrailers;
  }

  /** Whether a message has begun and not ended. */
  get partial(): boolean {
    return this.#heldBytes > 0;
  }

  /** Takes the next chunk. Throws a HeadgateError where it is not gRPC or a message is too large. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#wanted) return;
      bytes = Buffer.concat(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
    }
    let at = 0;
    while (bytes.length - at >= PREFIX) {
      const length = bytes.readUInt32BE(at + 1);
      const flag = bytes[at];
      if (flag !== 0 && (flag !== TRAILERS || this.#onTrailers === null)) throw broken("a message is compressed, which was not agreed on");
      if (length > this.#maxBytes) throw broken(`a message of ${length} bytes is over the limit of ${this.#maxBytes} (grpcMessageBytes)`);
      if (bytes.length - at - PREFIX < length) {
        this.#hold(bytes, at, PREFIX + length);
        return;
      }
      const message = bytes.subarray(at + PREFIX, at + PREFIX + length);
      if (flag === 0) this.#onMessage(message);
      else this.#onTrailers?.(message);
      at += PREFIX + length;
    }
    if (at < bytes.length) this.#hold(bytes, at, PREFIX);
  }

  #hold(bytes: Buffer, at: number, wanted: number): void {
    const rest = at === 0 ? bytes : bytes.subarray(at);
    this.#held = [rest];
    this.#heldBytes = rest.length;
    this.#wanted = wanted;
  }
}

function broken(message: string): HeadgateError {
  return new HeadgateError(fault("replica_protocol", message));
}

/** A message with its prefix, in one buffer. */
export function prefixed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, PREFIX);
  return bytes;
}

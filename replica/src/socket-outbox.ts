// A WebSocket's messages on their way to the caller: sent as far as the bridge's credit goes, the rest in order when there is more.

import { LIMITS, MESSAGE_CHARGE_BYTES } from "@headgate/core";
import { WebSocketPart } from "@headgate/proto/replica";

/** A message that waits for credit. */
interface Waiting {
  readonly part: typeof WebSocketPart.TEXT | typeof WebSocketPart.BINARY;
  /** What of it was not sent. */
  bytes: Uint8Array;
  readonly sent: () => void;
}

const SENT = Promise.resolve();
/** What stands around a message that waits: its bytes' object, its promise, and who waits for that. */
const WAITING_BYTES = 512;
/** Strings up to this many characters fit one frame whatever they are. */
const SURE_CHARS = Math.floor(LIMITS.bodyChunkBytes / 3);

/** Messages of one handler, in order. */
export class SocketOutbox {
  /** Sends a part; returns how many bytes its body has. */
  readonly #write: (part: number, body: string | Uint8Array) => number;
  #credit: number = LIMITS.streamWindowBytes;
  #waiting: Waiting[] = [];
  /** Bytes that wait. */
  buffered = 0;
  /** What they take of memory, about: a message costs something however short it is. */
  get cost(): number {
    return this.buffered + this.#waiting.length * WAITING_BYTES;
  }

  constructor(write: (part: number, body: string | Uint8Array) => number) {
    this.#write = write;
  }

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Sends a text message; resolves when all of it is sent. */
  text(message: string): Promise<void> {
    const { length } = message;
    if (length > SURE_CHARS || length * 3 + MESSAGE_CHARGE_BYTES > this.#credit || this.#waiting.length > 0) {
      return this.#send(WebSocketPart.TEXT, Buffer.from(message, "utf8"));
    }
    this.#credit -= this.#write(WebSocketPart.TEXT, message) + MESSAGE_CHARGE_BYTES;
    return SENT;
  }

  /** Sends a binary message; resolves when all of it is sent. */
  binary(bytes: Uint8Array): Promise<void> {
    const cost = bytes.length + MESSAGE_CHARGE_BYTES;
    if (bytes.length > LIMITS.bodyChunkBytes || cost > this.#credit || this.#waiting.length > 0) {
      return this.#send(WebSocketPart.BINARY, bytes);
    }
    this.#write(WebSocketPart.BINARY, bytes);
    this.#credit -= cost;
    return SENT;
  }

  /** There is more credit. */
  grant(bytes: number): void {
    this.#credit += bytes;
    this.#flush();
  }

  /** Forgets what waits: it has nowhere to go. */
  clear(): void {
    this.buffered = 0;
    for (const { sent } of this.#waiting.splice(0)) sent();
  }

  #send(part: Waiting["part"], bytes: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ part, bytes, sent: resolve });
    this.buffered += bytes.length;
    if (this.#waiting.length === 1) this.#flush();
    return promise;
  }

  #flush(): void {
    let sent = 0;
    for (const next of this.#waiting) {
      if (!this.#sendOne(next)) break;
      sent++;
    }
    for (const message of this.#waiting.splice(0, sent)) message.sent();
  }

  /** Sends of a message what the credit allows; returns whether that was all of it. */
  #sendOne(next: Waiting): boolean {
    const continues = next.part === WebSocketPart.TEXT ? WebSocketPart.TEXT_CONTINUES : WebSocketPart.BINARY_CONTINUES;
    while (next.bytes.length > LIMITS.bodyChunkBytes || next.bytes.length + MESSAGE_CHARGE_BYTES > this.#credit) {
      const size = Math.min(next.bytes.length, LIMITS.bodyChunkBytes, this.#credit);
      if (size <= 0) return false;
      this.#take(this.#write(continues, next.bytes.subarray(0, size)));
      next.bytes = next.bytes.subarray(size);
    }
    this.#take(this.#write(next.part, next.bytes));
    this.#credit -= MESSAGE_CHARGE_BYTES;
    return true;
  }

  #take(bytes: number): void {
    this.#credit -= bytes;
    this.buffered -= bytes;
  }
}

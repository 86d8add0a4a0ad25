// A WebSocket's messages on their way to the handler. Taking one gives the sender its credit back, so that a handler that does
// not read holds back its own caller alone.

import { MESSAGE_CHARGE_BYTES } from "@headgate/core";
import { WebSocketPart } from "@headgate/proto/replica";

/** A message as a handler gets it. */
export type Message = string | Uint8Array<ArrayBuffer>;
/** What an iterator of messages gives. */
export type MessageResult = IteratorResult<Message, undefined>;

const DONE: MessageResult = Object.freeze({ done: true, value: undefined });
const EMPTY = Buffer.alloc(0);

/** Messages of one caller, in order. */
export class SocketInbox {
  readonly #consumed: (bytes: number) => void;
  /** What the handler has not taken, from #at on, and what each takes of the credit. */
  #messages: Message[] = [];
  #costs: number[] = [];
  #at = 0;
  #readers: ((result: MessageResult) => void)[] = [];
  /** Pieces of a message whose end has not come. */
  #pieces: Buffer[] | null = null;
  #state: "open" | "ended" | "discarding" = "open";

  /** `consumed` gives the sender credit for that many bytes more. */
  constructor(consumed: (bytes: number) => void) {
    this.#consumed = consumed;
  }

  /** Takes in a message, or a piece of one. */
  push(part: number, body: Buffer | null): void {
    const bytes = body ?? EMPTY;
    if (part === WebSocketPart.TEXT_CONTINUES || part === WebSocketPart.BINARY_CONTINUES) {
      // What is not whole cannot be taken, and must not hold back its own rest. How much it may be is the bridge's to see to.
      this.#consumed(bytes.length);
      if (this.#state === "open") (this.#pieces ??= []).push(bytes);
      return;
    }
    const cost = bytes.length + MESSAGE_CHARGE_BYTES;
    if (this.#state !== "open") {
      this.#consumed(cost);
      return;
    }
    let whole = bytes;
    if (this.#pieces !== null) {
      this.#pieces.push(bytes);
      whole = Buffer.concat(this.#pieces);
      this.#pieces = null;
    }
    // Made at once, so that a message that waits keeps nothing of the buffer in which it came.
    const message = part === WebSocketPart.TEXT ? whole.toString("utf8") : new Uint8Array(whole);
    const read = this.#readers.shift();
    if (read === undefined) {
      this.#messages.push(message);
      this.#costs.push(cost);
      return;
    }
    this.#consumed(cost);
    read({ done: false, value: message });
  }

  /** The next message, when there is one; or the end. */
  next(): Promise<MessageResult> {
    const message = this.#messages[this.#at];
    if (message !== undefined) {
      this.#consumed(this.#costs[this.#at] ?? 0);
      if (++this.#at === this.#messages.length) this.#clear();
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#state !== "open") return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#readers.push(resolve);
    });
  }

  /** Nothing more comes. What is here can still be taken. */
  end(): void {
    if (this.#state === "open") this.#state = "ended";
    this.#pieces = null;
    for (const read of this.#readers.splice(0)) read(DONE);
  }

  /** Nobody wants what is here, nor what still comes. */
  discard(): void {
    this.#state = "discarding";
    let cost = 0;
    for (let i = this.#at; i < this.#costs.length; i++) cost += this.#costs[i] ?? 0;
    if (cost > 0) this.#consumed(cost);
    this.#clear();
    this.end();
  }

  #clear(): void {
    this.#messages = [];
    this.#costs = [];
    this.#at = 0;
  }
}

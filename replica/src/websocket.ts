// A WebSocket as its handler holds it, from accept to end: who has closed it, and whether the handler is done.
// Frames, pings and the caller's handshake are the bridge's matter; whether a request may have a WebSocket, session-call.ts's.

import {
  LIMITS,
  NO_CLOSE_CODE,
  VANISHED,
  type WebSocketClose,
  type WebSocketConnection,
  closeProblem,
  decodeClose,
  encodeClose,
} from "@headgate/core";
import { WebSocketPart } from "@headgate/proto/replica";
import { type Message, SocketInbox } from "./socket-inbox.ts";
import { SocketOutbox } from "./socket-outbox.ts";

/** The way to the bridge. */
export interface SocketOut {
  /** Sends a part; returns how many bytes its body has. `end`: nothing follows. */
  part(part: number, body: string | Uint8Array, end: boolean): number;
  /** Sends that nothing follows. */
  end(): void;
  /** That many bytes of credit are free again. */
  consumed(bytes: number): void;
  /** The connection has ended, and not by the handler. */
  lost(): void;
}

const NOTHING = Promise.resolve();
const TOO_SLOW: WebSocketClose = { code: 1008, reason: "what is sent is not read fast enough" };

/** One accepted WebSocket. */
export class ReplicaSocket implements WebSocketConnection {
  readonly protocol: string;
  readonly closed: Promise<WebSocketClose>;
  readonly #resolveClosed: (close: WebSocketClose) => void;
  readonly #out: SocketOut;
  readonly #inbox: SocketInbox;
  readonly #outbox: SocketOutbox;
  /** What the handler has closed it with. */
  #closing: WebSocketClose | null = null;
  #closeSent = false;
  /** Whether the connection has ended. */
  #over = false;
  /** Set when the handler has returned: told when all is sent. */
  #returned: (() => void) | null = null;

  constructor(protocol: string, out: SocketOut) {
    const { promise, resolve } = Promise.withResolvers<WebSocketClose>();
    this.protocol = protocol;
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#out = out;
    this.#inbox = new SocketInbox((bytes) => out.consumed(bytes));
    this.#outbox = new SocketOutbox((part, body) => out.part(part, body, false));
  }

  // --- what the handler does ---

  get bufferedBytes(): number {
    return this.#outbox.buffered;
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return { next: () => this.#inbox.next() };
  }

  send(message: string | ArrayBuffer | ArrayBufferView): Promise<void> {
    const data = typeof message === "string" ? message : bytesOf(message);
    if (this.#over || this.#closing !== null) return NOTHING;
    if (this.#outbox.cost > LIMITS.websocketBufferedBytes) {
      this.abort(TOO_SLOW, false);
      return NOTHING;
    }
    return typeof data === "string" ? this.#outbox.text(data) : this.#outbox.binary(data);
  }

  close(code = 1000, reason = ""): void {
    const problem = closeProblem(code, reason);
    if (problem !== null) throw new RangeError(problem);
    if (this.#over || this.#closing !== null) return;
    this.#closing = { code, reason };
    this.#inbox.discard();
    this.#sendClose();
  }

  // --- what happens to it ---

  /** The caller's next message, or a piece of one, or its close. */
  received(part: number, body: Buffer | null): void {
    if (part === WebSocketPart.CLOSE) this.ended(decodeClose(body) ?? { code: NO_CLOSE_CODE, reason: "" });
    // Kinds beyond are a newer contract's, and not for this replica.
    else if (part < WebSocketPart.CLOSE) this.#inbox.push(part, body);
  }

  /** There is more credit. */
  grant(bytes: number): void {
    this.#outbox.grant(bytes);
    this.#sendClose();
  }

  /** The caller is gone without a close. */
  vanished(): void {
    this.ended({ code: VANISHED, reason: "" });
  }

  /** The connection has ended: nothing that is sent from here on would arrive. */
  ended(close: WebSocketClose): void {
    if (this.#over) return;
    this.#over = true;
    this.#inbox.end();
    this.#outbox.clear();
    this.#resolveClosed(close);
    if (this.#closing === null) this.#out.lost();
    if (this.#returned === null) return;
    this.#out.end();
    this.#returned();
  }

  /** Closes it at once, whatever waits; `end`: without waiting for the handler. */
  abort(close: WebSocketClose, end: boolean): void {
    if (!this.#over && !this.#closeSent) {
      this.#closeSent = true;
      this.#out.part(WebSocketPart.CLOSE, encodeClose(close), end);
    } else if (end) this.#out.end();
    this.ended(close);
  }

  /** The handler has returned. Null: all is sent. Else resolves when it is. */
  finish(): Promise<void> | null {
    this.close();
    if (this.#over || this.#closeSent) {
      this.#out.end();
      this.ended(this.#closing ?? { code: 1000, reason: "" });
      return null;
    }
    return new Promise((resolve) => {
      this.#returned = resolve;
    });
  }

  /** Sends the handler's close when all messages before it are sent. */
  #sendClose(): void {
    if (this.#closing === null || this.#closeSent || this.#over || !this.#outbox.empty) return;
    this.#closeSent = true;
    this.#out.part(WebSocketPart.CLOSE, encodeClose(this.#closing), false);
    // Nobody is left to hear what the caller says to it.
    if (this.#returned !== null) this.ended(this.#closing);
  }
}

function bytesOf(message: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (message instanceof Uint8Array) return message;
  if (message instanceof ArrayBuffer) return new Uint8Array(message);
  if (ArrayBuffer.isView(message)) return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
  throw new TypeError(`a WebSocket sends strings and bytes, not ${message === null ? "null" : typeof message}`);
}

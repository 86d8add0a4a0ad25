// WebSockets as the whole house speaks of them: what a handler holds, and the close of a connection as RFC 6455 writes it.
// Types and pure functions; frames of the caller's socket are http-bridge's business, those of a Session proto's.

/** What a message takes of a Session's credit beside its bytes, as proto/headgate/v1/replica.proto says. */
export const MESSAGE_CHARGE_BYTES = 16;

/** Most bytes of a close's reason (RFC 6455, section 5.5). */
export const CLOSE_REASON_BYTES = 123;

/** Codes that stand for closes without a code of the peer's; never sent (RFC 6455, section 7.4.1). */
export const NO_CLOSE_CODE = 1005;
export const VANISHED = 1006;

/** How a connection ended. */
export interface WebSocketClose {
  /**
   * The code of the close: the caller's, or Headgate's where it had to end the connection. 1005: the caller gave none. 1006: the
   * caller is gone without a close.
   */
  readonly code: number;
  readonly reason: string;
}

/** What a handler says when it accepts a WebSocket. */
export interface WebSocketAcceptOptions {
  /** The subprotocol, one of `request.webSocketProtocols`. */
  readonly protocol?: string;
  /** Fields for the answer to the handshake, such as set-cookie. */
  readonly headers?: ConstructorParameters<typeof Headers>[0];
}

/**
 * A WebSocket that a handler has accepted. It lives as long as the handler's function runs: when that returns, it is closed with
 * 1000; when it throws, with 1011. As an iterable it gives the caller's messages in order, text as strings and binary ones as bytes,
 * and ends when the connection does. Leaving a loop over it leaves it open: a later loop goes on where that one stopped.
 */
export interface WebSocketConnection extends AsyncIterable<string | Uint8Array<ArrayBuffer>> {
  /** The subprotocol that was agreed on; empty: none. */
  readonly protocol: string;
  /** Bytes that were given to send() and wait, as the caller does not read fast enough. */
  readonly bufferedBytes: number;
  /** Resolves when the connection has ended. Never rejects. */
  readonly closed: Promise<WebSocketClose>;
  /**
   * Sends a message: a string as text, bytes as binary. Resolves when it is on its way, at once while the caller keeps up; whoever
   * waits for that never holds more than one message. Never rejects: on a connection that has ended, it does nothing. Bytes must not
   * be changed before it resolves. Where more than `websocketBufferedBytes` wait already, the connection is closed with 1008.
   */
  send(message: string | ArrayBuffer | ArrayBufferView): Promise<void>;
  /**
   * Closes the connection after what was sent before; what the caller still sends is dropped. Throws a RangeError for a code that
   * must not be sent or a reason of more than 123 bytes. On a connection that has ended, it does nothing.
   */
  close(code?: number, reason?: string): void;
}

/** Whether a code may stand in a close frame: those that RFC 6455 and its registry define for that, and 3000 to 4999. */
export function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CLOSE_CODE && code !== VANISHED) || (code >= 3000 && code <= 4999);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What stands in a close frame. The caller has made sure of code and reason; 1005: nothing. */
export function encodeClose({ code, reason }: WebSocketClose): Uint8Array {
  if (code === NO_CLOSE_CODE) return new Uint8Array(0);
  const text = encoder.encode(reason);
  const bytes = new Uint8Array(2 + text.length);
  bytes[0] = code >> 8;
  bytes[1] = code & 0xff;
  bytes.set(text, 2);
  return bytes;
}

/** Reads what stands in a close frame; null: it is not valid. */
export function decodeClose(bytes: Uint8Array | null): WebSocketClose | null {
  if (bytes === null || bytes.length === 0) return { code: NO_CLOSE_CODE, reason: "" };
  const code = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  if (bytes.length < 2 || bytes.length > 2 + CLOSE_REASON_BYTES || !isCloseCode(code)) return null;
  return { code, reason: decoder.decode(bytes.subarray(2)) };
}

/** What is wrong with a close; null: nothing. */
export function closeProblem(code: number, reason: string): string | null {
  if (!isCloseCode(code)) return `${code} is not a code that a close can have; take 1000, or one from 3000 to 4999 of your own`;
  const bytes = encoder.encode(reason).length;
  return bytes > CLOSE_REASON_BYTES ? `the reason of a close has at most ${CLOSE_REASON_BYTES} bytes, not ${bytes}` : null;
}

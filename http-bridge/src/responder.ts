// The port between an exchange and the protocol that its request came by: HTTP/1.1 (http1.ts) or HTTP/2 (http2.ts).
// What is sent, and when, is decided in exchange.ts; how it looks on the wire, behind this.

import type { Readable } from "node:stream";
import type { FieldList, ResponseFields } from "./model/response.ts";

/** Pieces below this are worth a copy. */
export const SMALL_BYTES = 4 * 1024;

/**
 * What became of a piece of an answer. "taken": more may follow. "queued": it waits, as a copy, and too much waits or it is small and not
 * the only one, so that those that follow should be joined until onDrain() tells of its end. "gathered": it leaves with flush() and is in use
 * until then.
 */
export type PieceState = "taken" | "queued" | "gathered";

/** One request's way back to its caller. */
export interface Responder {
  /** The request's body. */
  readonly incoming: Readable;
  /** Whether the connection is one of TLS. */
  readonly secure: boolean;
  /** Whether a caller who leaves is noticed only once all that it sent before is read. */
  readonly hidesEnd: boolean;
  /** Whether the request is here to its end. */
  readonly received: boolean;
  /** Fields behind the request's body, once it has ended: names and values in turn. */
  readonly behindBody: readonly string[];
  /** Whether an answer has begun. */
  readonly begun: boolean;
  /** Tells a caller that waits for it to send the request's body. */
  goOn(): void;
  /** Sends a whole answer. Leaves the body out where the method or the status has none. Returns whether the body is in use no more. */
  whole(status: number, fields: ResponseFields, body: Buffer | null, requestId: string, extra: FieldList | null): boolean;
  /** Begins an answer whose body comes in pieces. `wait`: a piece follows at once, so that the head may leave with it. */
  start(status: number, fields: ResponseFields, requestId: string, extra: FieldList | null, wait: boolean): void;
  /** Sends the next piece. */
  write(piece: Buffer): PieceState;
  /** Sends what was gathered. Returns whether none of an answer's bytes are in use any more. */
  flush(): boolean;
  /** Whether more waits in the connection than should: onDrain() tells when nothing does. */
  readonly full: boolean;
  /** Sends the last piece, and the end. Returns whether the piece is in use no more. */
  end(piece: Buffer | null): boolean;
  /** Calls back once, when what was queued last, or what makes the connection full, is taken. */
  onDrain(listener: () => void): void;
  /** Fields to follow the last piece; left out where the caller does not take them. */
  trailers(list: readonly string[]): void;
  /** Ends an answer that has begun and cannot be completed, so that the caller sees that it is cut off. */
  cutOff(): void;
  /** What comes next on the request's connection is not to be trusted: nothing more is read from it after the answer. */
  distrust(): void;
}

// The port between an exchange and the protocol that its request came by: HTTP/1.1 (http1.ts) or HTTP/2 (http2.ts).
// What is sent, and when, is decided in exchange.ts; how it looks on the wire, behind this.

import type { Readable, Writable } from "node:stream";
import type { FieldList, ResponseFields } from "./model/response.ts";

/** One request's way back to its caller. */
export interface Responder {
  /** The request's body. */
  readonly incoming: Readable;
  /** Where the pieces of an answer go that start() has begun. */
  readonly outgoing: Writable;
  /** Whether the connection is one of TLS. */
  readonly secure: boolean;
  /** Whether the request is here to its end. */
  readonly received: boolean;
  /** Fields behind the request's body, once it has ended: names and values in turn. */
  readonly behindBody: readonly string[];
  /** Whether an answer has begun. */
  readonly begun: boolean;
  /** Tells a caller that waits for it to send the request's body. */
  goOn(): void;
  /** Sends a whole answer. Leaves the body out where the method or the status has none. */
  whole(status: number, fields: ResponseFields, body: Buffer | null, requestId: string, extra: FieldList | null): void;
  /** Begins an answer whose body comes in pieces. `wait`: a piece follows at once, so that the head may leave with it. */
  start(status: number, fields: ResponseFields, requestId: string, extra: FieldList | null, wait: boolean): void;
  /** Sends the next piece. False: `outgoing` says "drain" when it and all before it are taken. */
  write(piece: Buffer): boolean;
  /** Fields to follow the last piece; left out where the caller does not take them. */
  trailers(list: readonly string[]): void;
  /** Ends an answer that has begun and cannot be completed, so that the caller sees that it is cut off. */
  cutOff(): void;
  /** What comes next on the request's connection is not to be trusted: nothing more is read from it after the answer. */
  distrust(): void;
}

// One call on one socket without HTTP/2 around it: the same messages with gRPC's prefix, for a bridge and a replica of ours
// that have agreed on it (RoutedReplica.direct). HTTP/2 cuts bodies into frames of 16 KiB and keeps a window and a stream
// where one long-lived call needs neither; what that costs stands in docs/performance.md.
// A call opens with one line that names its method and ends with a message whose flag is 0x80 and whose bytes are
// "grpc-status: N" lines, as gRPC-Web frames its trailers. No header fields, no second call, no TLS.

import type { Socket } from "node:net";
import { TRAILERS_FLAG, prefixed } from "./splitter.ts";

/** First bytes of a call, in no way those of HTTP/2 ("PRI * HTTP/2.0"). */
export const DIRECT_PREFACE = "HEADGATE-DIRECT/1 ";

/** A method's path and its line end, at most. */
export const DIRECT_LINE_BYTES = 256;

/** A call's end at one socket, the same on both sides: what is sent. What comes is read by an Inbox or, on a socket that was accepted, by a splitter. */
export class DirectCall {
  readonly #socket: Socket;
  #ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Whether end() was called. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Sends a message. False: more than the socket takes is waiting. */
  send(message: Uint8Array): boolean {
    return this.#usable() && this.#socket.write(prefixed(message));
  }

  /** Sends bytes that are messages with their prefixes already; `behind` right after them, in the same system call. */
  sendPrefixed(bytes: Uint8Array, behind: readonly Uint8Array[] = []): boolean {
    if (!this.#usable()) return false;
    if (behind.length === 0) return this.#socket.write(bytes);
    this.#socket.cork();
    let more = this.#socket.write(bytes);
    for (const piece of behind) more = this.#socket.write(piece);
    this.#socket.uncork();
    return more;
  }

  /** What is sent from here on leaves together, in the fewest system calls, with uncork(). */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** Nothing more is sent. */
  finish(): void {
    if (this.#usable()) this.#socket.end();
  }

  /** Says how the call ended, and sends nothing more. */
  end(trailers: Readonly<Record<string, string>>): void {
    if (this.#ended) return;
    const text = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
    const last = prefixed(Buffer.from(text.join(""), "latin1"));
    last[0] = TRAILERS_FLAG;
    if (this.#usable()) this.#socket.end(last);
    this.#ended = true;
    // Unread messages of the peer must not keep the socket open.
    this.#socket.resume();
  }

  #usable(): boolean {
    return !this.#ended && this.#socket.writable;
  }
}

/** The fields of a call's last message. */
export function parseTrailers(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return fields;
}

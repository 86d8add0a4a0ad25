// One call on one socket without HTTP/2 around it: the same messages with gRPC's prefix, for a bridge and a replica of ours
// that have agreed on it (RoutedReplica.direct). HTTP/2 cuts bodies into frames of 16 KiB and keeps a window and a stream
// where one long-lived call needs neither; what that costs stands in docs/performance.md.
// A call opens with one line that names its method and ends with a message whose flag is 0x80 and whose bytes are
// "grpc-status: N" lines, as gRPC-Web frames its trailers. No header fields, no second call, no TLS.

import type { Socket } from "node:net";
import { LIMITS } from "@headgate/core";
import { MessageSplitter, prefixed } from "./splitter.ts";

/** First bytes of a call, in no way those of HTTP/2 ("PRI * HTTP/2.0"). */
export const DIRECT_PREFACE = "HEADGATE-DIRECT/1 ";

/** A method's path and its line end, at most. */
export const DIRECT_LINE_BYTES = 256;

/** What happens on a call's socket. */
export interface DirectEvents {
  /** A message. Throwing ends the call. */
  message(message: Buffer): void;
  /** What could not be read, or what `message` threw: the call is over. */
  broken(error: unknown): void;
  /** The peer's last word: lines such as "grpc-status: 0". */
  trailers(text: string): void;
}

/** A call's end at one socket, the same on both sides. */
export class DirectCall {
  readonly #socket: Socket;
  #ended = false;

  constructor(socket: Socket, maxMessageBytes: number | undefined, events: DirectEvents) {
    this.#socket = socket;
    const splitter = new MessageSplitter(
      (message) => {
        if (!this.#ended) events.message(message);
      },
      maxMessageBytes ?? LIMITS.grpcMessageBytes,
      (bytes) => events.trailers(bytes.toString("latin1")),
    );
    socket.on("data", (chunk: Buffer) => {
      if (this.#ended) return;
      try {
        splitter.push(chunk);
      } catch (error) {
        events.broken(error);
      }
    });
  }

  /** Sends a message. False: more than the socket takes is waiting. */
  send(message: Uint8Array): boolean {
    return this.#usable() && this.#socket.write(prefixed(message));
  }

  /** Sends bytes that are messages with their prefixes already; `behind` right after them, in the same system call. */
  sendPrefixed(bytes: Uint8Array, behind: Uint8Array | null = null): boolean {
    if (!this.#usable()) return false;
    if (behind === null) return this.#socket.write(bytes);
    this.#socket.cork();
    this.#socket.write(bytes);
    const more = this.#socket.write(behind);
    this.#socket.uncork();
    return more;
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
    last[0] = 0x80;
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

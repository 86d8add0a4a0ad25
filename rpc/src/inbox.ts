// The memory that a connection is read into, and the messages that lie in it. Pure of any socket.
// A message is handed on where it lies; only what is torn at the end of the memory is moved. Memory whose messages nobody
// needs any more is read into again: reading large bodies so costs neither allocations nor the processor's cache
// (docs/performance.md).

import { LIMITS } from "@headgate/core";
import { PREFIX_BYTES, TRAILERS_FLAG, messageLength } from "./splitter.ts";

/** What a unix socket of Linux holds at most by default (212,992 bytes), and a torn message before it. */
const MEMORY_BYTES = 256 * 1024;
/** With less room than this behind what is still needed, other memory is read into. */
const LEAST_ROOM_BYTES = 64 * 1024;

/** Who gets the messages. */
export interface InboxEvents {
  /** A message. Its bytes stay as they are for as long as delivered() says that they are needed. */
  message(message: Buffer): void;
  /** A message whose flag is 0x80. */
  trailers(bytes: Buffer): void;
  /** All whole messages of a read were told. Returns whether any of their bytes are still needed: then they are never written to again. */
  delivered(): boolean;
}

/** What a connection is read into. */
export class Inbox {
  readonly #events: InboxEvents;
  readonly #maxBytes: number;
  #memory: Buffer = Buffer.allocUnsafeSlow(MEMORY_BYTES);
  /** What lies before this in the memory is still needed by somebody. */
  #base = 0;
  /** Where the bytes are that came and were not told: a message that is not whole yet. */
  #from = 0;
  #to = 0;

  /** `maxBytes` bounds one message. */
  constructor(events: InboxEvents, maxBytes: number = LIMITS.grpcMessageBytes) {
    this.#events = events;
    this.#maxBytes = maxBytes;
  }

  /** Where the next bytes are to be put: at least one. */
  room(): Buffer {
    return this.#to === 0 ? this.#memory : this.#memory.subarray(this.#to);
  }

  /** So many bytes were put there. Throws a HeadgateError where they are not gRPC or a message is too large. */
  filled(bytes: number): void {
    this.#to += bytes;
    const memory = this.#memory;
    let needed = PREFIX_BYTES;
    while (this.#to - this.#from >= PREFIX_BYTES) {
      const start = this.#from + PREFIX_BYTES;
      const length = messageLength(memory, this.#from, this.#maxBytes, true);
      if (start + length > this.#to) {
        needed += length;
        break;
      }
      this.#from = start + length;
      const message = memory.subarray(start, this.#from);
      if (memory[start - PREFIX_BYTES] === TRAILERS_FLAG) this.#events.trailers(message);
      else this.#events.message(message);
    }
    this.#makeRoom(this.#events.delivered(), needed);
  }

  /** Room for the rest of a message of `needed` bytes. */
  #makeRoom(inUse: boolean, needed: number): void {
    const memory = this.#memory;
    const begun = this.#to - this.#from;
    let base = inUse ? this.#from : this.#base;
    const stays =
      base === 0
        ? needed <= memory.length && (needed > MEMORY_BYTES || memory.length === MEMORY_BYTES)
        : // What fills all the room there is wants more of it.
          this.#to < memory.length && base + Math.max(needed, begun + LEAST_ROOM_BYTES) <= memory.length;
    if (!stays) {
      this.#memory = Buffer.allocUnsafeSlow(Math.max(needed, MEMORY_BYTES));
      base = 0;
    }
    if (begun > 0 && (!stays || this.#from > base)) memory.copy(this.#memory, base, this.#from, this.#to);
    this.#base = base;
    this.#from = base;
    this.#to = base + begun;
  }
}

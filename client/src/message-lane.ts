// A WebSocket's messages on their way to its replica: what the credit does not allow yet waits here, in order.
// Which calls have a lane is decided where requests come in; what is sent and when, by the session.

import { LIMITS, MESSAGE_CHARGE_BYTES } from "@headgate/core";
import { WebSocketPart } from "@headgate/proto/replica";
import type { Call } from "./call.ts";

/** Where a WebSocket's messages come in from the replica. */
export interface MessageSink {
  /** The next message, or a piece of one, or the handler's close. `body` is a slice of memory that stays as it is. */
  part(part: number, body: Buffer | null): void;
}

/** A part that is to be sent. */
interface Waiting {
  readonly part: number;
  body: Buffer;
}

/** The kind of a message's pieces but the last. */
const continuing = (part: number): number =>
  part === WebSocketPart.TEXT ? WebSocketPart.TEXT_CONTINUES : part === WebSocketPart.BINARY ? WebSocketPart.BINARY_CONTINUES : part;

/** What a lane sends through. */
export interface LaneOut {
  /** Writes a frame of the call. The call's credit has been taken. */
  writePart(call: Call, part: number, body: Buffer): void;
}

/** The messages of one WebSocket. */
export class MessageLane {
  /** Where messages of the replica go. Changed by whoever has made the lane. */
  sink: MessageSink;
  /** Whether the replica has accepted the WebSocket. */
  accepted = false;
  #waiting: Waiting[] = [];

  constructor(sink: MessageSink) {
    this.sink = sink;
  }

  /** Sends what waits and then this, as far as the call's credit goes. Returns whether nothing waits any more. */
  send(call: Call, part: number, body: Buffer, out: LaneOut): boolean {
    // Nothing comes behind a close, so that what waits cannot grow: it goes first, and the handler hears of the close at once.
    if (part === WebSocketPart.CLOSE) call.sendCredit = Number.POSITIVE_INFINITY;
    else if (this.#waiting.length === 0 && body.length <= LIMITS.bodyChunkBytes) {
      const cost = costOf(part, body);
      if (cost <= call.sendCredit) {
        call.sendCredit -= cost;
        out.writePart(call, part, body);
        return true;
      }
    }
    this.#waiting.push({ part, body });
    return this.pump(call, out);
  }

  /** Sends of what waits as much as the call's credit allows. Returns whether nothing waits any more. */
  pump(call: Call, out: LaneOut): boolean {
    let sent = 0;
    for (const next of this.#waiting) {
      const { part } = next;
      let cost = costOf(part, next.body);
      while (next.body.length > LIMITS.bodyChunkBytes || cost > call.sendCredit) {
        const size = Math.min(next.body.length, LIMITS.bodyChunkBytes, call.sendCredit);
        if (size <= 0) {
          this.#waiting.splice(0, sent);
          return false;
        }
        call.sendCredit -= size;
        out.writePart(call, continuing(part), next.body.subarray(0, size));
        next.body = next.body.subarray(size);
        cost -= size;
      }
      call.sendCredit -= cost;
      out.writePart(call, part, next.body);
      sent++;
    }
    this.#waiting = [];
    return true;
  }
}

/** What a frame takes of the credit. */
export function costOf(part: number, body: Buffer | null): number {
  if (part === WebSocketPart.CLOSE) return 0;
  const bytes = body?.length ?? 0;
  return part === WebSocketPart.TEXT || part === WebSocketPart.BINARY ? bytes + MESSAGE_CHARGE_BYTES : bytes;
}

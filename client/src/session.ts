// One Session stream to one replica: requests multiplexed, all frames of one turn of the event loop in one message.
// Knows calls by number and nothing of tables, queues or retries; a session that has ended is never used again.

import { LIMITS, fault } from "@headgate/core";
import type * as pb from "@headgate/proto/fault";
import { WebSocketPart } from "@headgate/proto/replica";
import {
  HeaderMemo,
  type ResponseFrames,
  WireWriter,
  readSessionResponse,
  writeRequestOpen,
  writeRequestPart,
  writeRequestRest,
} from "@headgate/proto/wire";
import { faultFromProto } from "@headgate/rpc/fault-codec";
import { type GrpcStream, openStream } from "@headgate/rpc/stream";
import type { Call } from "./call.ts";
import { CallTable } from "./call-table.ts";
import type { Link, LinkEvents } from "./link.ts";
import type { LaneOut, MessageLane } from "./message-lane.ts";

const PATH = "/headgate.v1.ReplicaService/Session";
/** A message that has grown to this is sent before the turn is over. */
const FLUSH_BYTES = 64 * 1024;
/** Bodies from this size on go out as they are, without being copied into the message. */
const APART_BYTES = 16 * 1024;
/** Credit is granted again in portions of at least this. */
const GRANT_BYTES = LIMITS.bodyChunkBytes;
const NO_TRAILERS: readonly string[] = Object.freeze([]);

/** One open session. */
export class Session implements Link, LaneOut, ResponseFrames {
  readonly #events: LinkEvents;
  readonly #calls = new CallTable();
  readonly #writer = new WireWriter();
  readonly #memo = new HeaderMemo();
  readonly #stream: GrpcStream;
  readonly #flush = (): void => this.#send();
  #mark = -1;
  #ended = false;

  constructor(address: string, events: LinkEvents) {
    this.#events = events;
    this.#stream = openStream(
      address,
      { path: PATH },
      {
        open: () => events.opened(),
        message: (message) => {
          const before = this.#calls.size;
          readSessionResponse(message, this, this.#memo);
          // Calls that were started meanwhile hide some that ended; a little less is as good.
          if (this.#calls.size < before) events.answered(before - this.#calls.size);
        },
        end: () => this.#end(),
      },
    );
  }

  get gathering(): boolean {
    return this.#mark >= 0;
  }

  calls(): IterableIterator<Call> {
    return this.#calls.values();
  }

  start(call: Call): void {
    const id = this.#calls.add(call);
    call.streamId = id;
    call.sent = true;
    call.sendCredit = LIMITS.streamWindowBytes;
    call.consumed = 0;
    this.#open();
    const { pieces } = call;
    const first = pieces[0] ?? null;
    if (pieces.length <= 1 && call.bodyEnded && call.trailers.length === 0 && (first === null || first.length <= LIMITS.bodyChunkBytes)) {
      if (first !== null && first.length >= APART_BYTES) {
        writeRequestOpen(this.#writer, id, call, first, true, true);
        this.#send(first);
      } else writeRequestOpen(this.#writer, id, call, first, true);
      if (this.#writer.length > FLUSH_BYTES) this.#send();
      return;
    }
    writeRequestOpen(this.#writer, id, call, null, false);
    if (pieces.length > 0 || !call.bodyEnded) this.pump(call);
    else this.endBody(call);
  }

  /** Sends what of the body the credit allows. */
  pump(call: Call): void {
    if (this.#calls.get(call.streamId) !== call) return;
    const { pieces, lane } = call;
    if (lane !== null) {
      if (lane.pump(call, this)) call.sink.writable();
      return;
    }
    while (pieces.length > 0 && call.sendCredit > 0) {
      const piece = pieces[0];
      if (piece === undefined) break;
      const size = Math.min(piece.length, call.sendCredit, LIMITS.bodyChunkBytes);
      const whole = size === piece.length;
      if (whole) pieces.shift();
      else pieces[0] = piece.subarray(size);
      call.sendCredit -= size;
      call.replayable = false;
      this.#open();
      const last = call.bodyEnded && pieces.length === 0;
      const bytes = whole ? piece : piece.subarray(0, size);
      if (last) writeRequestRest(this.#writer, call.streamId, bytes, true, null, 0, call.trailers);
      else writeRequestRest(this.#writer, call.streamId, bytes, false, null, 0);
      if (this.#writer.length > FLUSH_BYTES) this.#send();
      if (last) return;
    }
    if (pieces.length > 0) return;
    if (!call.bodyEnded) call.sink.writable();
  }

  /** The body's end came without a further piece. */
  endBody(call: Call): void {
    if (this.#calls.get(call.streamId) !== call || call.pieces.length > 0) return;
    this.#open();
    writeRequestRest(this.#writer, call.streamId, null, true, null, 0, call.trailers);
  }

  message(call: Call, part: number, body: Buffer): boolean {
    if (this.#calls.get(call.streamId) !== call || call.lane === null) return true;
    return call.lane.send(call, part, body, this);
  }

  writePart(call: Call, part: number, body: Buffer): void {
    this.#open();
    writeRequestPart(this.#writer, call.streamId, part, body, part === WebSocketPart.CLOSE);
    if (this.#writer.length > FLUSH_BYTES) this.#send();
  }

  cancel(call: Call): void {
    if (!this.#calls.delete(call)) return;
    this.#open();
    writeRequestRest(this.#writer, call.streamId, null, false, call.deadline <= performance.now() ? "deadline_exceeded" : "cancelled", 0);
  }

  consumed(call: Call, bytes: number): void {
    call.consumed += bytes;
    if (call.consumed < GRANT_BYTES || this.#calls.get(call.streamId) !== call) return;
    this.#open();
    writeRequestRest(this.#writer, call.streamId, null, false, null, call.consumed);
    call.consumed = 0;
  }

  close(): void {
    this.#end();
  }

  // --- what the replica says ---

  frame(
    streamId: number,
    status: number,
    headers: readonly string[],
    body: Buffer | null,
    end: boolean,
    failure: pb.Fault | null,
    credit: number,
    trailers: readonly string[],
    part: number,
    form: number,
  ): void {
    const call = this.#calls.get(streamId);
    // Frames of a call that was cancelled may still be on their way.
    if (call === null) return;
    if (failure !== null) {
      this.#calls.delete(call);
      this.#events.failed(call, faultFromProto(failure));
      return;
    }
    if (credit > 0) {
      call.sendCredit += credit;
      this.pump(call);
    }
    if (status !== 0) {
      if (call.answered || status < 200 || status > 599) {
        if (status === 101 && call.lane !== null && !call.answered && !end) this.#accepted(call, call.lane, headers);
        else this.#broken(call, call.answered ? "answered twice" : `answered with status ${status}`);
        return;
      }
      if (end) this.#calls.delete(call);
      call.answered = true;
      if (end) this.#events.finished(call);
      call.sink.head(status, headers, body, end, form);
      return;
    }
    if (part !== 0) {
      this.#part(call, part, body, end);
      return;
    }
    if (body === null && !end) return;
    if (!call.answered) {
      this.#broken(call, "sent a body before its head");
      return;
    }
    if (body !== null && call.lane !== null && call.lane.accepted) {
      this.#broken(call, "sent bytes that are part of no message on a WebSocket");
      return;
    }
    if (end) {
      this.#calls.delete(call);
      this.#events.finished(call);
    }
    call.sink.body(body, end, trailers);
  }

  draining(): void {
    this.#events.draining();
  }

  /** The replica has accepted a WebSocket: from here on it may last. */
  #accepted(call: Call, lane: MessageLane, headers: readonly string[]): void {
    lane.accepted = true;
    call.answered = true;
    call.deadline = Infinity;
    call.sink.head(101, headers, null, false, 0);
  }

  #part(call: Call, part: number, body: Buffer | null, end: boolean): void {
    if (call.lane === null || !call.lane.accepted) {
      this.#broken(call, "sent a message without having accepted a WebSocket");
      return;
    }
    call.lane.sink.part(part, body);
    // The sink may have given the call up because of it.
    if (!end || !this.#calls.delete(call)) return;
    this.#events.finished(call);
    call.sink.body(null, true, NO_TRAILERS);
  }

  #broken(call: Call, what: string): void {
    this.cancel(call);
    this.#events.failed(call, fault("replica_protocol", `the replica ${what}`));
  }

  // --- sending ---

  #open(): void {
    if (this.#mark >= 0) return;
    this.#mark = this.#writer.openGrpc();
    setImmediate(this.#flush);
  }

  /** Sends what was gathered; `apart` are the last bytes of it, which stand elsewhere. */
  #send(apart: Buffer | null = null): void {
    if (this.#mark < 0 || this.#ended) return;
    this.#writer.closeGrpc(this.#mark, apart?.length ?? 0);
    this.#mark = -1;
    this.#stream.sendPrefixed(this.#writer.take());
    if (apart !== null) this.#stream.sendPrefixed(apart);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.close();
    this.#events.ended(this.#calls.clear());
  }
}

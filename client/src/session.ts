// One Session stream to one replica: requests multiplexed, all frames of one turn of the event loop in one message.
// Here is what is sent, in session-answers.ts what comes back. Knows nothing of tables, queues or retries; a session that has
// ended is never used again.

import { LIMITS } from "@headgate/core";
import { RoomAnswer, WebSocketPart } from "@headgate/proto/replica";
import {
  APART_BYTES,
  FLUSH_BYTES,
  HeaderMemo,
  WireWriter,
  readSessionResponse,
  writePing,
  writeRequestOpen,
  writeRequestPart,
  writeRequestRest,
  writeRoomAnswer,
} from "@headgate/proto/wire";
import { lengthOf } from "@headgate/rpc/pieces";
import { type GrpcStream, openStream } from "@headgate/rpc/stream";
import type { Call } from "./call.ts";
import { CallTable } from "./call-table.ts";
import type { Link, LinkEvents } from "./link.ts";
import type { LaneOut } from "./message-lane.ts";
import { SessionAnswers } from "./session-answers.ts";

const PATH = "/headgate.v1.ReplicaService/Session";
const NO_TRAILERS: readonly string[] = Object.freeze([]);
/** Pieces of a body that leave as they came; a body of more is joined. */
const MOST_APART = 8;
const NOTHING_APART: readonly Buffer[] = Object.freeze([]);
/** Credit is granted again in portions of at least this: half a window, so that what comes of one stream comes in several frames at once. */
const GRANT_BYTES = LIMITS.streamWindowBytes / 2;

/** One open session. */
export class Session implements Link, LaneOut {
  readonly #events: LinkEvents;
  readonly #calls = new CallTable();
  readonly #writer = new WireWriter();
  readonly #memo = new HeaderMemo();
  readonly #answers: SessionAnswers;
  readonly #stream: GrpcStream;
  readonly #flush = (): void => this.#send();
  #pings = 0;
  #mark = -1;
  #ended = false;

  /** `direct`: without HTTP/2 around the stream. */
  constructor(address: string, direct: boolean, events: LinkEvents) {
    this.#events = events;
    this.#answers = new SessionAnswers(this.#calls, this, events);
    this.#stream = openStream(
      address,
      { path: PATH, direct },
      {
        open: () => {
          // The first ping tells whether the replica knows of them.
          this.ping();
          events.opened();
        },
        message: (message) => {
          events.heard();
          const before = this.#calls.size;
          readSessionResponse(message, this.#answers, this.#memo);
          // Calls that were started meanwhile hide some that ended; a little less is as good.
          if (this.#calls.size < before) events.answered(before - this.#calls.size);
        },
        delivered: () => this.#answers.release(),
        sent: () => events.writable(),
        end: (error) => this.#end(error?.code === "replica_protocol"),
      },
    );
  }

  get gathering(): boolean {
    return this.#mark >= 0;
  }

  get answersPings(): boolean {
    return this.#answers.ponged;
  }

  start(call: Call): void {
    const id = this.#calls.add(call);
    call.streamId = id;
    call.sent = true;
    call.sendCredit = LIMITS.streamWindowBytes;
    call.window = LIMITS.streamWindowBytes;
    call.consumed = 0;
    this.#open();
    const { pieces } = call;
    const bytes = call.bodyEnded && call.trailers.length === 0 ? lengthOf(pieces) : Number.POSITIVE_INFINITY;
    if (bytes > LIMITS.bodyChunkBytes) {
      writeRequestOpen(this.#writer, id, call, null, false);
      if (pieces.length > 0 || !call.bodyEnded) this.pump(call);
      else this.endBody(call);
    } else if (bytes >= APART_BYTES) {
      writeRequestOpen(this.#writer, id, call, null, true, bytes);
      this.#send(pieces.length > MOST_APART ? [Buffer.concat(pieces, bytes)] : pieces);
    } else {
      const [first = null] = pieces;
      writeRequestOpen(this.#writer, id, call, pieces.length > 1 ? Buffer.concat(pieces, bytes) : first, true);
      if (this.#writer.length > FLUSH_BYTES) this.#send();
    }
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
      this.#open();
      const last = call.bodyEnded && pieces.length === 0;
      const bytes = whole ? piece : piece.subarray(0, size);
      if (call.replayable) call.hold(bytes);
      const trailers = last ? call.trailers : NO_TRAILERS;
      if (size >= APART_BYTES) {
        writeRequestRest(this.#writer, call.streamId, null, last, null, 0, trailers, size);
        this.#send([bytes]);
      } else {
        writeRequestRest(this.#writer, call.streamId, bytes, last, null, 0, trailers);
        if (this.#writer.length > FLUSH_BYTES) this.#send();
      }
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
    call.window += call.consumed;
    call.consumed = 0;
  }

  ping(): void {
    this.#open();
    writePing(this.#writer, ++this.#pings);
  }

  answerRoom(more: boolean): void {
    this.#open();
    writeRoomAnswer(this.#writer, more ? RoomAnswer.MORE : RoomAnswer.DONE);
  }

  close(): void {
    this.#end(false);
  }

  // --- sending ---

  #open(): void {
    if (this.#mark >= 0) return;
    this.#mark = this.#writer.openGrpc();
    setImmediate(this.#flush);
  }

  /** Sends what was gathered; `apart` are the last bytes of it, which stand elsewhere. */
  #send(apart: readonly Buffer[] = NOTHING_APART): void {
    if (this.#mark < 0 || this.#ended) return;
    this.#writer.closeGrpc(this.#mark, lengthOf(apart));
    this.#mark = -1;
    const room = this.#stream.sendPrefixed(this.#writer.take(), apart);
    if (!room && this.#stream.unsentBytes() > LIMITS.replicaUnreadBytes) this.#events.full();
  }

  #end(broken: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.close();
    this.#events.ended(this.#calls.clear(), broken);
  }
}

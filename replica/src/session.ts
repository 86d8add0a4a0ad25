// The replica's end of Session streams: frames in, answers out, all frames of one turn of the event loop in one message.
// What a request means and whether it may run is the runner's matter.

import { type Fault, HeadgateError, type WebSocketClose, fault } from "@headgate/core";
import {
  APART_BYTES,
  type CancelReason,
  type EncodedHeaders,
  FLUSH_BYTES,
  GRPC_PREFIX_BYTES,
  type RequestFrames,
  type RequestHeadView,
  WireWriter,
  readSessionRequest,
  writeDraining,
  writePong,
  writeResponseFault,
  writeResponseOpen,
  writeResponsePart,
  writeResponseRest,
  writeRoom,
} from "@headgate/proto/wire";
import { RoomAnswer } from "@headgate/proto/replica";
import { faultToProto } from "@headgate/rpc/fault-codec";
import type { CallHandler, ServerCall } from "@headgate/rpc/stream-server";
import type { AnswerStream } from "./answer-stream.ts";
import { CALLER_GONE, EXPIRED } from "./cancellation.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Sender } from "./door.ts";
import { SessionCall } from "./session-call.ts";
import type { Runner } from "./runner.ts";

/** From so many streams in a message on, the next one waits for more of them: a wait that no reader notices, and half the messages. */
const MANY_STREAMS = 4;
const HOLD_MS = 2;
const NO_FIELDS: readonly string[] = Object.freeze([]);

/** One bridge's stream. */
export class ReplicaSession implements CallHandler, RequestFrames, Sender {
  readonly deadlines: Deadlines;
  readonly #runner: Runner;
  readonly #stream: ServerCall;
  readonly #onClosed: (session: ReplicaSession) => void;
  readonly #calls = new Map<number, SessionCall>();
  readonly #flush = (): void => this.#endTurn();
  readonly #writer = new WireWriter();
  /** Streamed answers with pieces that gathered in this turn. */
  #streams: AnswerStream[] = [];
  /** How many of them the last message with any had, and when it was made. */
  #lastStreams = 0;
  #lastMs = 0;
  #hold: NodeJS.Timeout | null = null;
  #mark = -1;
  /** Whether large bodies wait for the end of the turn, to leave together. */
  #corked = false;
  /** Whether the bridge was slow to read before they did. */
  #backedUp = false;
  /** When the message that is being read came. */
  #nowMs = 0;
  #closed = false;

  constructor(runner: Runner, deadlines: Deadlines, stream: ServerCall, onClosed: (session: ReplicaSession) => void) {
    this.#runner = runner;
    this.deadlines = deadlines;
    this.#stream = stream;
    this.#onClosed = onClosed;
  }

  // --- what the bridge says ---

  message(message: Buffer): void {
    // Whole milliseconds: a number of that kind costs a request nothing to keep.
    this.#nowMs = Math.floor(performance.now());
    readSessionRequest(message, this);
  }

  frame(
    streamId: number,
    head: RequestHeadView | null,
    body: Buffer | null,
    end: boolean,
    cancel: CancelReason | null,
    credit: number,
    trailers: readonly string[],
    part: number,
  ): void {
    if (head !== null) {
      if (this.#calls.has(streamId)) throw new HeadgateError(fault("replica_protocol", `stream ${streamId} was opened twice`));
      const call = new SessionCall(this, streamId, head, body, end, this.#nowMs);
      this.#runner.run(call);
      // A handler that answers at once leaves nothing to find later.
      if (call.open) this.#calls.set(streamId, call);
      return;
    }
    // Frames of a request that has been answered may still be on their way.
    const call = this.#calls.get(streamId);
    if (call === undefined) return;
    if (cancel !== null) {
      this.#calls.delete(streamId);
      call.open = false;
      call.cancelled(cancel === "cancelled" ? CALLER_GONE : EXPIRED);
      return;
    }
    if (credit > 0) call.grant(credit);
    if (part !== 0) call.message(part, body);
    else if (body !== null || end) call.received(body, end, trailers);
  }

  ping(number: number): void {
    this.#schedule();
    writePong(this.#writer, number);
  }

  roomAnswer(answer: number): void {
    this.#runner.answered(this, answer === RoomAnswer.MORE);
  }

  drained(): void {
    if (this.#streams.length > 0) this.#schedule();
  }

  halfClosed(): void {
    this.#stream.end(null);
  }

  closed(): void {
    this.#closed = true;
    if (this.#hold !== null) clearTimeout(this.#hold);
    for (const call of this.#calls.values()) {
      call.open = false;
      call.cancelled(fault("cancelled", "the bridge is gone"));
    }
    this.#calls.clear();
    this.#runner.forget(this);
    this.#onClosed(this);
  }

  // --- what the replica says ---

  /**
   * A streamed answer has something to write at the end of this turn. Where many streams are busy it may wait for further ones,
   * HOLD_MS at most since the last message; `urgent` does not, which the first pieces of an answer are, and the last.
   */
  gather(stream: AnswerStream, urgent: boolean): void {
    this.#streams.push(stream);
    if (urgent || this.#lastStreams < MANY_STREAMS) {
      this.#schedule();
      return;
    }
    if (this.#hold !== null) return;
    const waitMs = this.#lastMs + HOLD_MS - performance.now();
    if (waitMs <= 0) this.#schedule();
    else this.#hold = setTimeout(this.#flush, waitMs);
  }

  /** The start of an answer, with `end` all of it. The caller keeps to the credit and to 64 KiB. Returns the bytes of the body. */
  writeStart(call: SessionCall, status: number, headers: EncodedHeaders, body: string | Uint8Array | null, end: boolean): number {
    if (!this.#open(call)) return 0;
    if (end) this.#forget(call);
    if (body !== null && typeof body !== "string" && body.length >= APART_BYTES) {
      writeResponseOpen(this.#writer, call.streamId, status, headers, null, end, body.length);
      this.#send(body);
      return body.length;
    }
    const bytes = writeResponseOpen(this.#writer, call.streamId, status, headers, body, end);
    this.#bound();
    return bytes;
  }

  /** More of an answer, or its end and the fields behind it. The caller keeps to the credit and to 64 KiB. Returns the bytes. */
  writeMore(call: SessionCall, body: string | Uint8Array | null, end: boolean, trailers: readonly string[] | null): number {
    if (!this.#open(call)) return 0;
    if (end) this.#forget(call);
    if (body !== null && typeof body !== "string" && body.length >= APART_BYTES) {
      writeResponseRest(this.#writer, call.streamId, null, end, 0, trailers ?? NO_FIELDS, body.length);
      this.#send(body);
      return body.length;
    }
    const bytes = writeResponseRest(this.#writer, call.streamId, body, end, 0, trailers ?? NO_FIELDS);
    this.#bound();
    return bytes;
  }

  /** A part of a WebSocket. Returns how many bytes its body has. The caller keeps to the credit and to 64 KiB. */
  writePart(call: SessionCall, part: number, body: string | Uint8Array, end: boolean): number {
    if (!this.#open(call)) return 0;
    if (end) this.#forget(call);
    const bytes = writeResponsePart(this.#writer, call.streamId, part, body, end);
    this.#bound();
    return bytes;
  }

  /** Ends every WebSocket. */
  endSockets(close: WebSocketClose): void {
    for (const call of this.#calls.values()) call.endSocket(close);
  }

  writeFault(call: SessionCall, failure: Fault): void {
    if (!this.#open(call)) return;
    this.#forget(call);
    writeResponseFault(this.#writer, call.streamId, faultToProto(failure));
  }

  /** Credit for the request's body. */
  writeCredit(call: SessionCall, bytes: number): void {
    if (this.#open(call)) writeResponseRest(this.#writer, call.streamId, null, false, bytes);
  }

  invite(places: number): void {
    this.#schedule();
    writeRoom(this.#writer, places);
  }

  /** Tells the bridge that nothing new is taken. */
  draining(): void {
    this.#schedule();
    writeDraining(this.#writer);
  }

  /** Whether the call still has someone to answer; makes room for a frame. */
  #open(call: SessionCall): boolean {
    if (this.#closed || !call.open) return false;
    this.#schedule();
    return true;
  }

  #forget(call: SessionCall): void {
    call.open = false;
    if (this.#calls.size > 0) this.#calls.delete(call.streamId);
    call.closed();
  }

  #endTurn(): void {
    if (this.#hold !== null) clearTimeout(this.#hold);
    this.#hold = null;
    const streams = this.#streams;
    if (streams.length > 0) {
      this.#streams = [];
      this.#lastStreams = streams.length;
      this.#lastMs = performance.now();
      // Behind a bridge that is slow to read, small pieces wait for more of their stream: they cost it by the piece. Large ones
      // cost by the byte, and are bounded by their credit; whole answers do not wait.
      const backedUp = this.#corked ? this.#backedUp : this.#stream.backedUp;
      for (const stream of streams) {
        if (backedUp && stream.held < APART_BYTES) this.#streams.push(stream);
        else stream.flush();
      }
    }
    this.#send();
    if (this.#corked) {
      this.#corked = false;
      this.#stream.uncork();
    }
    // What streams gave while they were sent leaves in the next turn; behind a bridge that is slow to read, once that has read.
    if (this.#streams.length > 0 && this.#hold === null && !this.#stream.backedUp) this.#schedule();
  }

  #schedule(): void {
    if (this.#mark >= 0) return;
    this.#mark = this.#writer.openGrpc();
    setImmediate(this.#flush);
  }

  #bound(): void {
    if (this.#writer.length > FLUSH_BYTES) this.#send();
  }

  /** Sends what was gathered; `apart` are the last bytes of it, which stand elsewhere. */
  #send(apart: Uint8Array | null = null): void {
    if (this.#mark < 0) return;
    if (apart !== null && !this.#corked) {
      this.#corked = true;
      this.#backedUp = this.#stream.backedUp;
      this.#stream.cork();
    }
    this.#writer.closeGrpc(this.#mark, apart?.length ?? 0);
    this.#mark = -1;
    const message = this.#writer.take();
    // Streams that wait may leave a turn without a frame.
    if (message.length > GRPC_PREFIX_BYTES) this.#stream.sendPrefixed(message, apart === null ? [] : [apart]);
  }
}

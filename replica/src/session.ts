// The replica's end of Session streams: frames in, answers out, all frames of one turn of the event loop in one message.
// What a request means and whether it may run is the runner's matter.

import { type Fault, HeadgateError, type WebSocketClose, fault } from "@headgate/core";
import {
  type CancelReason,
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
import { SessionCall } from "./session-call.ts";
import type { Runner, Sender } from "./runner.ts";

/** A message that has grown to this is sent before the turn is over. */
const FLUSH_BYTES = 64 * 1024;
/** Bodies from this size on go out as they are, without being copied into the message. */
const APART_BYTES = 16 * 1024;

const CALLER_GONE = fault("cancelled", "the caller is gone");
const EXPIRED = fault("deadline_exceeded", "the request's deadline has passed", { limit: "requestTimeoutMs" });

/** One bridge's stream. */
export class ReplicaSession implements CallHandler, RequestFrames, Sender {
  readonly #runner: Runner;
  readonly #stream: ServerCall;
  readonly #onClosed: (session: ReplicaSession) => void;
  readonly #calls = new Map<number, SessionCall>();
  readonly #flush = (): void => this.#send();
  readonly #writer = new WireWriter();
  #mark = -1;
  #closed = false;

  constructor(runner: Runner, stream: ServerCall, onClosed: (session: ReplicaSession) => void) {
    this.#runner = runner;
    this.#stream = stream;
    this.#onClosed = onClosed;
  }

  // --- what the bridge says ---

  message(message: Buffer): void {
    readSessionRequest(message, this);
  }

  frame(
    streamId: number,
    head: RequestHeadView | null,
    body: Buffer | null,
    end: boolean,
    cancel: CancelReason | null,
    credit: number,
    _trailers: readonly string[],
    part: number,
  ): void {
    if (head !== null) {
      if (this.#calls.has(streamId)) throw new HeadgateError(fault("replica_protocol", `stream ${streamId} was opened twice`));
      const call = new SessionCall(this, streamId, head, body, end);
      this.#runner.run(call);
      // A handler that answers at once leaves nothing to find later.
      if (call.open) this.#calls.set(streamId, call);
      return;
    }
    // Frames of a request that has been answered may still be on their way.
    const call = this.#calls.get(streamId);
    if (call === undefined) return;
    if (cancel !== null) {
      this.#forget(call);
      call.cancelled(cancel === "cancelled" ? CALLER_GONE : EXPIRED);
      return;
    }
    if (credit > 0) call.grant(credit);
    if (part !== 0) call.message(part, body);
    else if (body !== null || end) call.received(body, end);
  }

  ping(number: number): void {
    this.#schedule();
    writePong(this.#writer, number);
  }

  roomAnswer(answer: number): void {
    this.#runner.answered(this, answer === RoomAnswer.MORE);
  }

  halfClosed(): void {
    this.#stream.end(null);
  }

  closed(): void {
    this.#closed = true;
    for (const call of this.#calls.values()) {
      call.open = false;
      call.cancelled(fault("cancelled", "the bridge is gone"));
    }
    this.#calls.clear();
    this.#runner.forget(this);
    this.#onClosed(this);
  }

  // --- what the replica says ---

  /** A whole answer. */
  writeWhole(call: SessionCall, status: number, headers: Uint8Array, body: string | Uint8Array | null): void {
    if (!this.#open(call)) return;
    this.#forget(call);
    if (body !== null && typeof body !== "string" && body.length >= APART_BYTES) {
      writeResponseOpen(this.#writer, call.streamId, status, headers, body, true, true);
      this.#send(body);
    } else writeResponseOpen(this.#writer, call.streamId, status, headers, body, true);
    this.#bound();
  }

  /** The start of an answer. */
  writeHead(call: SessionCall, status: number, headers: Uint8Array): void {
    if (this.#open(call)) writeResponseOpen(this.#writer, call.streamId, status, headers, null, false);
  }

  /** A piece of an answer, or its end. The caller keeps to the credit and to 64 KiB. */
  writePiece(call: SessionCall, piece: Uint8Array | null, end: boolean): void {
    if (!this.#open(call)) return;
    if (end) this.#forget(call);
    writeResponseRest(this.#writer, call.streamId, piece, end, 0);
    this.#bound();
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
    this.#writer.closeGrpc(this.#mark, apart?.length ?? 0);
    this.#mark = -1;
    this.#stream.sendPrefixed(this.#writer.take());
    if (apart !== null) this.#stream.sendPrefixed(apart);
  }
}

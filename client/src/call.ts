// One request on its way: what it says, where its answer goes, and how far it has come.
// One object a request for its whole life, made by whoever takes requests in, changed by the router and the links alone.

import { LIMITS, type Fault } from "@headgate/core";
import type { RequestHeadInit } from "@headgate/proto/wire";
import { PieceJoiner, lengthOf } from "@headgate/rpc/pieces";
import type { LiveBackend } from "./live-backend.ts";
import type { LiveReplica } from "./live-replica.ts";
import type { MessageLane } from "./message-lane.ts";
import type { Due } from "./model/deadlines.ts";

/** Where the answer goes. After an end or a fault nothing more comes. */
export interface CallSink {
  /**
   * The answer begins. `body` is its first piece: a slice of memory that is written to again. `form` is the ResultForm of what the handler
   * returned. Returns whether the piece is done with; else release() is asked, once for all pieces that came together.
   */
  head(status: number, headers: readonly string[], body: Buffer | null, end: boolean, form: number): boolean;
  /** The next piece, as above. */
  body(piece: Buffer | null, end: boolean, trailers: readonly string[]): boolean;
  /** Nothing more comes for the moment. Returns whether the pieces so far are done with; else they are left as they are for good. */
  release(): boolean;
  /** There is no answer, or it ends here. */
  fault(fault: Fault): void;
  /** All of the request's body that was given has been sent: more may be given. */
  writable(): void;
}

/** Where a call is. */
export type CallState = "new" | "queued" | "sent" | "done";

const NO_PAIRS: readonly string[] = Object.freeze([]);

/** One request. */
export class Call implements RequestHeadInit, Due<Call> {
  endpoint: string;
  method: string;
  target: string;
  /** Names in lower case and values in turn. */
  headers: readonly string[];
  params: readonly string[] = NO_PAIRS;
  callMethod = "";
  requestId: string;
  shadow = false;
  /** Whether the caller's connection is one of TLS, or that of the request for which a handler made this call. */
  secure = false;
  /** Backends whose handlers made this call one from the other, outermost first; none: it came from outside. */
  via: readonly string[] = NO_PAIRS;
  /** What was left when it was last sent, in milliseconds. */
  timeoutMs = 0;
  /** When it must be over, on performance.now()'s scale. */
  deadline: number;
  readonly sink: CallSink;
  /** The messages of a call that asks for a WebSocket; null: it asks for none. Given before the call is dispatched. */
  lane: MessageLane | null = null;

  /** Pieces of the body that were not sent yet. A body that is sent in one frame stays here. */
  pieces: Buffer[] = [];
  /** Adds to the pieces, and to those that are held. Null: nothing was added. */
  #joiner: PieceJoiner | null = null;
  /** Pieces that were sent before the replica gave credit for more: it may not have taken the call. Null: none. */
  held: Buffer[] | null = null;
  /** Whether all pieces of the body were given. */
  bodyEnded = true;
  /** Fields after the body, names in lower case and values in turn; there when the body has ended. */
  trailers: readonly string[] = NO_PAIRS;
  /** Whether the whole body is at hand, so that the call can be sent again. */
  replayable = true;

  state: CallState = "new";
  backend: LiveBackend | null = null;
  replica: LiveReplica | null = null;
  streamId = 0;
  /** Tries after a connection's failure. */
  retries = 0;
  /** When it began to wait, on performance.now()'s scale. */
  queuedAt = 0;
  /** Whether any frame may have reached the replica. */
  sent = false;
  /** Whether the sink has been given any of the answer. */
  answered = false;
  /** Bytes of body that may still be sent. */
  sendCredit: number = LIMITS.streamWindowBytes;
  /** Bytes of the answer that the replica may still send. */
  window: number = LIMITS.streamWindowBytes;
  /** Bytes of the answer that were consumed and not yet granted again. */
  consumed = 0;

  /** Its number among the calls of its backend: who came first is served first. */
  order = 0;
  /** Its neighbours in the queue (call-queue.ts). */
  queuePrev: Call | null = null;
  queueNext: Call | null = null;
  /** Its place among the deadlines (model/deadlines.ts). */
  dueSlot = -1;
  duePrev: Call | null = null;
  dueNext: Call | null = null;

  constructor(
    endpoint: string,
    method: string,
    target: string,
    headers: readonly string[],
    requestId: string,
    deadline: number,
    sink: CallSink,
  ) {
    this.endpoint = endpoint;
    this.method = method;
    this.target = target;
    this.headers = headers;
    this.requestId = requestId;
    this.deadline = deadline;
    this.sink = sink;
  }

  get websocket(): boolean {
    return this.lane !== null;
  }

  /** Adds a piece to the body. */
  give(piece: Buffer): void {
    this.#joiner ??= new PieceJoiner();
    this.#joiner.add(this.pieces, piece);
  }

  /** Holds a piece that was sent. */
  hold(piece: Buffer): void {
    this.#joiner ??= new PieceJoiner();
    this.#joiner.add((this.held ??= []), piece);
  }

  /** Bytes of the body that were given and not sent. */
  get unsentBytes(): number {
    return lengthOf(this.pieces);
  }
}

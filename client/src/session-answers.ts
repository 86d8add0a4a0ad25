// What a replica says on a session, held against the contract. A replica may be anybody's program, so nothing here is trusted.
// A rule of one call that is broken ends that call with replica_protocol, and the others go on. What makes the stream itself
// worthless throws, which ends the session: a message that is none, and a number that was never given to a call.

import { type Fault, LIMITS } from "@headgate/core";
import type * as pb from "@headgate/proto/fault";
import { type ResponseFrames, WireError } from "@headgate/proto/wire";
import type { Call, CallSink } from "./call.ts";
import type { CallTable } from "./call-table.ts";
import type { Link, LinkEvents } from "./link.ts";
import { type MessageLane, costOf } from "./message-lane.ts";
import { brokenContract, faultOfReplica, fieldsProblem } from "./replica-words.ts";

/** The most credit that a replica may give for one call's body: so much is sent without asking whether any of it is read. */
const MOST_CREDIT = LIMITS.grpcMessageBytes;
const NO_TRAILERS: readonly string[] = Object.freeze([]);

/** The receiving half of a session. */
export class SessionAnswers implements ResponseFrames {
  readonly #calls: CallTable;
  readonly #link: Link;
  readonly #events: LinkEvents;
  /** Whether any ping was answered. */
  ponged = false;
  /** Who holds pieces of what was read last. */
  readonly #holders: CallSink[] = [];
  /** Whether more of it is needed than they can let go of. */
  #needed = false;
  /** The fields that were checked last: the codec gives the same list for the same fields. */
  #checked: readonly string[] = NO_TRAILERS;

  constructor(calls: CallTable, link: Link, events: LinkEvents) {
    this.#calls = calls;
    this.#link = link;
    this.#events = events;
  }

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
    if (call === null) {
      // Frames of a call that was cancelled may still be on their way.
      if (!this.#calls.knew(streamId)) throw new WireError(`there was no stream ${streamId}`);
      return;
    }
    if (failure !== null) this.#failed(call, failure, status !== 0 || body !== null);
    else if (credit > 0 && !this.#granted(call, credit)) return;
    else if (status !== 0) this.#head(call, status, headers, body, end, form);
    else if (part !== 0) this.#part(call, part, body, end);
    else if (body !== null || end) this.#body(call, body, end, trailers);
  }

  /** Asks all who hold pieces to let go of them; whether any cannot. */
  release(): boolean {
    let needed = this.#needed;
    const holders = this.#holders;
    if (holders.length > 0) {
      for (const sink of holders) if (!sink.release()) needed = true;
      holders.length = 0;
    }
    this.#needed = false;
    return needed;
  }

  draining(): void {
    this.#events.draining();
  }

  pong(): void {
    this.ponged = true;
  }

  room(places: number): void {
    this.#events.room(places);
  }

  #failed(call: Call, failure: pb.Fault, answers: boolean): void {
    if (answers) {
      this.#broken(call, brokenContract("answered and failed in one frame"));
      return;
    }
    this.#calls.delete(call);
    this.#events.failed(call, faultOfReplica(failure));
  }

  /** The replica takes more of the call's body, so that it has taken the call. False: the call is over by it. */
  #granted(call: Call, credit: number): boolean {
    // Behind the caller's close nothing more is sent; the handler may still read what came before it.
    if (call.sendCredit === Number.POSITIVE_INFINITY) return true;
    call.sendCredit += credit;
    if (call.sendCredit > MOST_CREDIT) {
      this.#broken(call, brokenContract("gave more credit than the contract allows", "grpcMessageBytes"));
      return false;
    }
    if (call.held !== null) {
      call.held = null;
      call.replayable = false;
    }
    this.#link.pump(call);
    return true;
  }

  #head(call: Call, status: number, headers: readonly string[], body: Buffer | null, end: boolean, form: number): void {
    if (call.answered) {
      this.#broken(call, brokenContract("answered twice"));
      return;
    }
    if (!this.#canTake(call, headers)) return;
    if (status < 200 || status > 599) {
      if (status === 101 && call.lane !== null && !end) this.#accepted(call, call.lane, headers);
      else this.#broken(call, brokenContract(`answered with status ${status}`));
      return;
    }
    if (body !== null && !this.#fits(call, body.length)) return;
    if (end) this.#calls.delete(call);
    call.answered = true;
    call.held = null;
    if (end) this.#events.finished(call);
    if (!call.sink.head(status, headers, body, end, form)) this.#holders.push(call.sink);
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
      this.#broken(call, brokenContract("sent a message without having accepted a WebSocket"));
      return;
    }
    if (!this.#fits(call, costOf(part, body))) return;
    // Frames to the caller leave at the end of the turn.
    if (body !== null) this.#needed = true;
    call.lane.sink.part(part, body);
    // The sink may have given the call up because of it.
    if (!end || !this.#calls.delete(call)) return;
    this.#events.finished(call);
    call.sink.body(null, true, NO_TRAILERS);
  }

  #body(call: Call, body: Buffer | null, end: boolean, trailers: readonly string[]): void {
    if (!call.answered) {
      this.#broken(call, brokenContract("sent a body before its head"));
      return;
    }
    if (body !== null && call.lane !== null && call.lane.accepted) {
      this.#broken(call, brokenContract("sent bytes that are part of no message on a WebSocket"));
      return;
    }
    if (body !== null && !this.#fits(call, body.length)) return;
    if (trailers.length > 0 && !this.#canTake(call, trailers)) return;
    if (end) {
      this.#calls.delete(call);
      this.#events.finished(call);
    }
    if (!call.sink.body(body, end, trailers)) this.#holders.push(call.sink);
  }

  /** Whether fields are within the limits for them; else the call is over. */
  #canTake(call: Call, fields: readonly string[]): boolean {
    if (fields === this.#checked) return true;
    const problem = fieldsProblem(fields);
    if (problem !== null) {
      this.#broken(call, problem);
      return false;
    }
    this.#checked = fields;
    return true;
  }

  /** Takes bytes from what the replica may send; where they are too many, the call is over. */
  #fits(call: Call, bytes: number): boolean {
    call.window -= bytes;
    if (call.window >= 0) return true;
    this.#broken(call, brokenContract("sent more than its credit", "streamWindowBytes"));
    return false;
  }

  #broken(call: Call, problem: Fault): void {
    this.#link.cancel(call);
    this.#events.failed(call, problem);
  }
}

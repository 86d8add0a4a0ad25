// One request and its answer: the CallSink between a call and its caller, whatever the protocol. When an answer is over,
// which faults become which answers, how far a body may go. How its pieces leave stands in answer-flow.ts. Nothing of routes or tables here, and nothing of a protocol.

import { type Call, type CallSink, PieceJoiner, type Router } from "@headgate/client/data-plane";
import { type Fault, fault } from "@headgate/core";
import { AnswerFlow, type FlowOwner } from "./answer-flow.ts";
import { type ExtraFields, withoutCors } from "./model/cors.ts";
import { bodyTooLarge, tooLate } from "./model/request.ts";
import { NO_FIELDS, type ResponseFields, hasBody, problem, responseFields } from "./model/response.ts";
import { trailerFields, trailersProblem } from "./model/trailers.ts";
import type { ReadAhead, WaitingUpload } from "./read-ahead.ts";
import type { Responder } from "./responder.ts";
import { joinUnread } from "./unread.ts";

let lastHeaders: readonly string[] = [];
let lastFields: ResponseFields | null = responseFields([]);

/** Checked fields of a response; those of the last one are remembered, as a session gives the same list for the same fields. */
function fieldsOf(headers: readonly string[]): ResponseFields | null {
  if (headers !== lastHeaders) {
    lastHeaders = headers;
    lastFields = responseFields(headers);
  }
  return lastFields;
}

/** One request and its answer. */
export class Exchange implements CallSink, WaitingUpload, FlowOwner {
  readonly method: string;
  readonly requestId: string;
  /** Null until there is somewhere to send the request. */
  call: Call | null = null;
  /** Whether the answer is complete or the caller is gone. */
  over = false;
  /** Further fields of whatever answer is given, those of CORS and cookies; null: none. */
  extra: ExtraFields | null = null;
  /** Whether the deadline is the caller's own. */
  callersDeadline = false;
  readonly #to: Responder;
  readonly #router: Router;
  #received = 0;
  /** Whether the request's body is handed on as it comes. */
  #forwards = false;
  /** How much of the body there was when it was last seen to come on, and when that was, on performance.now()'s scale. */
  #seen = -1;
  #seenAt = 0;
  /** Where what waits of the request's body counts; null: nowhere. */
  #ahead: ReadAhead | null = null;
  /** Bytes of the answer's body that are still to come by the handler's word; -1: it did not say. */
  #promised = -1;
  /** What sends the pieces of a streamed answer; null: it has none yet. */
  #flow: AnswerFlow | null = null;

  constructor(to: Responder, method: string, requestId: string, router: Router) {
    this.method = method;
    this.requestId = requestId;
    this.#to = to;
    this.#router = router;
  }

  /** How many bytes of the request's body a replica has taken. */
  get taken(): number {
    return this.#received - (this.call?.unsentBytes ?? 0);
  }

  /** Whether the request came over TLS. */
  get secure(): boolean {
    return this.#to.secure;
  }

  // --- the request's body ---

  /** Tells the caller to send the body, where it waits for that. */
  goOn(): void {
    if (!this.over) this.#to.goOn();
  }

  /** Collects a small body, then says that it is there. `head`: the fields before it. */
  collect(head: readonly string[], whole: (pieces: Buffer[], trailers: readonly string[]) => void): void {
    const { incoming } = this.#to;
    const pieces: Buffer[] = [];
    const joiner = new PieceJoiner();
    incoming.on("data", (piece: Buffer) => joiner.add(pieces, piece));
    incoming.on("end", () => {
      if (this.over) return;
      const trailers = this.#behindBody(head);
      if (trailers !== null) whole(pieces, trailers);
    });
  }

  /** Hands a body on as it comes. */
  forward(call: Call, maxBodyBytes: number, ahead: ReadAhead): void {
    const { incoming } = this.#to;
    this.#forwards = true;
    if (this.#to.hidesEnd) this.#ahead = ahead;
    joinUnread(incoming);
    incoming.on("data", (piece: Buffer) => {
      if (this.over) return;
      this.#received += piece.length;
      if (this.#received > maxBodyBytes) {
        this.#router.abandon(call);
        this.fault(bodyTooLarge(maxBodyBytes));
        return;
      }
      this.#router.giveBody(call, piece, false);
      // What is left has to wait for a replica or for its credit; so does the caller.
      if (call.pieces.length > 0 && this.#ahead?.waits(this, piece.length) !== true) incoming.pause();
    });
    incoming.on("end", () => {
      if (this.over) return;
      const trailers = this.#behindBody(call.headers);
      if (trailers !== null) this.#router.giveBody(call, null, true, trailers);
    });
  }

  /** The fields behind the body; null: they are over a limit, and the request is refused. */
  #behindBody(head: readonly string[]): readonly string[] | null {
    const { behindBody } = this.#to;
    if (behindBody.length === 0) return behindBody;
    const refusal = trailersProblem(head, behindBody);
    if (refusal === null) return trailerFields(behindBody);
    if (this.call !== null) this.#router.abandon(this.call);
    this.fault(refusal);
    return null;
  }

  writable(): void {
    this.#ahead?.goesOn(this);
    this.readOn();
  }

  readOn(): void {
    const { incoming } = this.#to;
    if (!this.over && incoming.isPaused()) incoming.resume();
  }

  // --- the answer ---

  head(status: number, headers: readonly string[], body: Buffer | null, end: boolean): boolean {
    if (this.over) return true;
    const checked = fieldsOf(headers);
    if (checked === null) {
      if (!end && this.call !== null) this.#router.abandon(this.call);
      this.fault(fault("replica_protocol", "the replica answered with a header field that cannot be sent"));
      return true;
    }
    const fields = this.extra?.ownsCors === true ? withoutCors(checked) : checked;
    if (end) {
      this.over = true;
      return this.#to.whole(status, fields, body, this.requestId, this.extra);
    }
    const withBody = hasBody(this.method, status);
    if (withBody) this.#promised = fields.contentLength;
    this.#to.start(status, fields, this.requestId, this.extra, !withBody || body !== null);
    if (withBody) return body === null || this.#write(body);
    // What follows has nowhere to go.
    if (this.call !== null) this.#router.abandon(this.call);
    this.over = true;
    return this.#to.end(null);
  }

  body(piece: Buffer | null, end: boolean, trailers: readonly string[]): boolean {
    if (this.over) return true;
    if (!end) return piece === null || this.#write(piece);
    this.over = true;
    if (this.#promised >= 0 && (piece?.length ?? 0) !== this.#promised) {
      this.#to.cutOff();
      return true;
    }
    this.#flow?.finish();
    if (trailers.length > 0) this.#to.trailers(trailerFields(trailers));
    return this.#to.end(piece);
  }

  release(): boolean {
    return this.#flow === null ? this.#to.flush() : this.#flow.release();
  }

  consumed(bytes: number): void {
    if (this.call !== null) this.#router.consumed(this.call, bytes);
  }

  fault(failure: Fault): void {
    if (this.over) return;
    if (this.#to.begun) {
      // Too late for a status.
      this.over = true;
      this.#to.cutOff();
      return;
    }
    if (this.callersDeadline && failure.code === "deadline_exceeded") {
      this.refuse({ ...failure, details: { ...failure.details, limit: "X-Request-Timeout" } });
    } else this.refuse(failure);
  }

  /** What else comes on the request's connection is not to be answered. */
  distrust(): void {
    this.#to.distrust();
  }

  /** Answers without any call. `allow` is the value of Allow for method_not_allowed. */
  refuse(failure: Fault, allow = ""): void {
    if (this.over) return;
    const { status, headers, body } = problem(failure, this.requestId, allow);
    this.answer(status, headers, body);
  }

  /** Answers with a status, fields and text of the bridge's own. */
  answer(status: number, headers: readonly string[], body: string): void {
    if (this.over) return;
    this.over = true;
    // The bridge's own fields can be sent.
    const fields = responseFields(headers) ?? NO_FIELDS;
    this.#to.whole(status, fields, body === "" ? null : Buffer.from(body, "utf8"), this.requestId, this.extra);
  }

  /** Whether a body is on its way that is handed on as it comes: watch() tells when it is late. */
  get uploads(): boolean {
    return this.#forwards && !this.over && !this.#to.received;
  }

  /**
   * Gives a caller up of whose body nothing has come for so long. One is not late whose bytes wait for the handler, nor one that has an
   * answer to read and may make the rest of its body of that. To be called now and then.
   */
  watch(now: number, bodyTimeoutMs: number): void {
    if (!this.uploads) return;
    const waits = this.#to.begun || this.#to.incoming.isPaused() || (this.call?.pieces.length ?? 0) > 0;
    if (waits || this.#received !== this.#seen) {
      this.#seen = this.#received;
      this.#seenAt = now;
    } else if (now - this.#seenAt > bodyTimeoutMs) this.breakOff(tooLate("bodyTimeoutMs"));
  }

  /** The rest of the request's body cannot be read. False: there is no answer to be given here any more. */
  breakOff(failure: Fault): boolean {
    if (this.over || this.#to.received || this.#to.begun) return false;
    if (this.call !== null) this.#router.abandon(this.call);
    this.#to.distrust();
    this.fault(failure);
    return true;
  }

  /** The caller is gone. */
  left(): void {
    if (this.over) return;
    this.over = true;
    if (this.call !== null) this.#router.abandon(this.call);
  }

  /** Sends a piece. Returns whether it is in use no more, or release() will be asked anyhow. */
  #write(piece: Buffer): boolean {
    if (this.#promised >= 0) {
      this.#promised -= piece.length;
      if (this.#promised < 0) {
        // Without its end, so that the caller does not take what it got for the whole.
        if (this.call !== null) this.#router.abandon(this.call);
        this.over = true;
        this.#to.cutOff();
        return true;
      }
    }
    this.#flow ??= new AnswerFlow(this.#to, this);
    return this.#flow.send(piece);
  }
}

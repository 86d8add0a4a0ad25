// One HTTP request and its answer: the CallSink that writes to Node's ServerResponse. Nothing of routes or tables here.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Call, CallSink, Router } from "@headgate/client/data-plane";
import { type Fault, fault } from "@headgate/core";
import { bodyTooLarge } from "./model/request.ts";
import { type ResponseFields, hasBody, problem, responseFields } from "./model/response.ts";
import { canSendWhole, sendWhole } from "./whole-response.ts";

/** Bodies up to this go out in one write with their head. */
const ONE_WRITE_BYTES = 8 * 1024;

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
export class Exchange implements CallSink {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  /** Null until there is somewhere to send the request. */
  call: Call | null = null;
  /** Whether the answer is complete or the caller is gone. */
  over = false;
  /** Whether the request has a body, as its header section says. */
  hasBody = false;
  /** The request before it on the same connection, if that has no answer yet. */
  before: Exchange | null = null;
  readonly #router: Router;
  #received = 0;

  constructor(req: IncomingMessage, res: ServerResponse, requestId: string, router: Router) {
    this.req = req;
    this.res = res;
    this.requestId = requestId;
    this.#router = router;
  }

  // --- the request's body ---

  /** Collects a small body, then says that it is there. */
  collect(whole: (body: Buffer) => void): void {
    let first: Buffer | null = null;
    let more: Buffer[] | null = null;
    this.req.on("data", (piece: Buffer) => {
      if (first === null) first = piece;
      else (more ??= [first]).push(piece);
    });
    this.req.on("end", () => {
      if (!this.over) whole(more === null ? (first ?? Buffer.alloc(0)) : Buffer.concat(more));
    });
  }

  /** Hands a body on as it comes. */
  forward(call: Call, maxBodyBytes: number): void {
    this.req.on("data", (piece: Buffer) => {
      if (this.over) return;
      this.#received += piece.length;
      if (this.#received > maxBodyBytes) {
        this.#router.abandon(call);
        this.fault(bodyTooLarge(maxBodyBytes));
        return;
      }
      this.#router.giveBody(call, piece, false);
      // What is left has to wait for a replica or for its credit; so does the caller.
      if (call.pieces.length > 0) this.req.pause();
    });
    this.req.on("end", () => {
      if (!this.over) this.#router.giveBody(call, null, true);
    });
  }

  writable(): void {
    if (!this.over && this.req.isPaused()) this.req.resume();
  }

  // --- the answer ---

  head(status: number, headers: readonly string[], body: Buffer | null, end: boolean): void {
    if (this.over) return;
    const fields = fieldsOf(headers);
    if (fields === null) {
      if (!end && this.call !== null) this.#router.abandon(this.call);
      this.fault(fault("replica_protocol", "the replica answered with a header field that cannot be sent"));
      return;
    }
    const { res } = this;
    if (end && (body === null || body.length <= ONE_WRITE_BYTES) && canSendWhole(this.req, res, status)) {
      this.#finish();
      sendWhole(res, status, fields, body, this.requestId);
      return;
    }
    const list = [...fields.list, "x-request-id", this.requestId];
    const withBody = hasBody(this.req.method ?? "", status);
    if (end && status !== 204 && status !== 304) list.push("content-length", String(body?.length ?? 0));
    this.#rest();
    res.writeHead(status, list);
    if (end) {
      this.#finish();
      if (withBody && body !== null) res.end(body);
      else res.end();
      return;
    }
    if (!withBody) {
      // What follows has nowhere to go.
      if (this.call !== null) this.#router.abandon(this.call);
      this.#finish();
      res.end();
      return;
    }
    if (body !== null) this.#write(body);
    else res.flushHeaders();
  }

  body(piece: Buffer | null, end: boolean, trailers: readonly string[]): void {
    if (this.over) return;
    const { res } = this;
    if (end && trailers.length > 0) this.#trailers(trailers);
    if (!end) {
      if (piece !== null) this.#write(piece);
      return;
    }
    this.#finish();
    if (piece === null) res.end();
    else res.end(piece);
  }

  fault(failure: Fault): void {
    if (this.over) return;
    this.#finish();
    if (this.res.headersSent) {
      // Too late for a status: a connection that breaks off is the only sign that HTTP/1.1 has.
      this.res.destroy();
      return;
    }
    this.#answerProblem(failure, "");
  }

  /** Answers without any call. */
  refuse(failure: Fault, allow = ""): void {
    if (this.over) return;
    this.#finish();
    this.#answerProblem(failure, allow);
  }

  /** Answers with a status, fields and text of the bridge's own. */
  answer(status: number, headers: readonly string[], body: string): void {
    if (this.over) return;
    this.#finish();
    this.#answerOwn(status, headers, body);
  }

  /** The rest of the request's body cannot be read. False: there is no answer to be given here any more. */
  breakOff(failure: Fault): boolean {
    if (this.over || this.req.complete || this.res.headersSent) return false;
    if (this.call !== null) this.#router.abandon(this.call);
    this.res.shouldKeepAlive = false;
    this.fault(failure);
    return true;
  }

  /** The caller is gone. */
  left(): void {
    if (this.over) return;
    this.#finish();
    if (this.call !== null) this.#router.abandon(this.call);
  }

  #answerProblem(failure: Fault, allow: string): void {
    const { status, headers, body } = problem(failure, this.requestId, allow);
    this.#answerOwn(status, headers, body);
  }

  #answerOwn(status: number, headers: readonly string[], body: string): void {
    const bytes = Buffer.from(body, "utf8");
    const list = [...headers, "x-request-id", this.requestId];
    if (status !== 204) list.push("content-length", String(bytes.length));
    this.#rest();
    this.res.writeHead(status, list);
    this.res.end(hasBody(this.req.method ?? "", status) ? bytes : undefined);
  }

  /** An answer before the request's body is there: the rest of it is not read, and the connection not used again. */
  #rest(): void {
    if (!this.hasBody || this.req.complete || this.res.headersSent) return;
    this.res.shouldKeepAlive = false;
    this.req.resume();
  }

  #write(piece: Buffer): void {
    const { call, res } = this;
    const bytes = piece.length;
    // The piece is a slice of a message that is not written to again, so that it can wait as it is.
    if (res.write(piece)) {
      if (call !== null) this.#router.consumed(call, bytes);
      return;
    }
    res.once("drain", () => {
      if (call !== null && !this.over) this.#router.consumed(call, bytes);
    });
  }

  #trailers(trailers: readonly string[]): void {
    const checked = responseFields(trailers);
    if (checked === null) return;
    for (let i = 0; i + 1 < checked.list.length; i += 2) this.res.addTrailers({ [checked.list[i] ?? ""]: checked.list[i + 1] ?? "" });
  }

  #finish(): void {
    this.over = true;
  }
}

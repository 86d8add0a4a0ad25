// A request of HTTP/1.x and its way back: Node's IncomingMessage and ServerResponse behind the Responder port.
// The usual answers leave by short ways (whole-response.ts, piece.ts), all others by writeHead(), write() and end(), which get a copy of
// the bytes, as they may hold them for long.

import type { IncomingMessage, ServerResponse } from "node:http";
import { Backlog } from "./backlog.ts";
import type { Exchange } from "./exchange.ts";
import { type FieldList, type ResponseFields, hasBody, lengthOfWhole, withUpgrade } from "./model/response.ts";
import { namedBy, withoutNamed } from "./model/fields.ts";
import { linger } from "./linger.ts";
import { PieceWriter } from "./piece.ts";
import { type PieceState, type Responder, SMALL_BYTES } from "./responder.ts";
import type { Surroundings } from "./serve.ts";
import { canSendWhole, sendWhole } from "./whole-response.ts";

/** One request of HTTP/1.x. */
export class Http1Responder implements Responder {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly hidesEnd = true;
  /** Set once the request was looked at. */
  exchange: Exchange | null = null;
  /** The request before it on the same connection, if that has no answer yet. */
  before: Http1Responder | null = null;
  /** Whether a further request came on the connection before this one's answer. */
  followed = false;
  /** How many requests came before it on the same connection since the caller has ceased to take answers. */
  depth = 0;
  /** What sends the pieces of a streamed answer; null: it has none yet. */
  #pieces: PieceWriter | null = null;
  /** False: a whole answer was sent of which the connection still has some. */
  #wholeSent = true;
  readonly #backlog = new Backlog();
  readonly #withBody: boolean;
  readonly #takesTrailers: boolean;
  readonly #surroundings: Surroundings;

  /** `withBody`: whether the request has a body, as its header section says; `takesTrailers`: so does it of the answer's. */
  constructor(req: IncomingMessage, res: ServerResponse, withBody: boolean, takesTrailers: boolean, surroundings: Surroundings) {
    this.incoming = req;
    this.outgoing = res;
    this.#withBody = withBody;
    this.#takesTrailers = takesTrailers;
    this.#surroundings = surroundings;
  }

  get secure(): boolean {
    return "encrypted" in this.incoming.socket;
  }

  get received(): boolean {
    return this.incoming.complete;
  }

  get begun(): boolean {
    return this.outgoing.headersSent;
  }

  get behindBody(): readonly string[] {
    const { rawTrailers } = this.incoming;
    const named = rawTrailers.length === 0 ? null : namedBy(this.incoming.headers.connection ?? "");
    return named === null ? rawTrailers : withoutNamed(rawTrailers, named);
  }

  /** HTTP/1.0 knows no such answer. */
  goOn(): void {
    if (this.incoming.httpVersionMinor >= 1) this.outgoing.writeContinue();
  }

  whole(status: number, fields: ResponseFields, body: Buffer | null, requestId: string, further: FieldList | null): boolean {
    const { incoming, outgoing } = this;
    const extra = withUpgrade(status, further);
    if (this.#surroundings.state.draining && !this.followed) outgoing.shouldKeepAlive = false;
    if (canSendWhole(incoming, outgoing, status)) {
      this.#wholeSent = sendWhole(outgoing, status, fields, body, requestId, extra);
      return this.#wholeSent;
    }
    const method = incoming.method ?? "";
    const length = lengthOfWhole(method, status, fields, body);
    this.#rest();
    outgoing.writeHead(status, allFields(fields, requestId, extra, length));
    if (body !== null && hasBody(method, status)) outgoing.end(Buffer.from(body));
    else outgoing.end();
    return true;
  }

  start(status: number, fields: ResponseFields, requestId: string, extra: FieldList | null, wait: boolean): void {
    const { outgoing } = this;
    if (this.#surroundings.state.draining && !this.followed) outgoing.shouldKeepAlive = false;
    this.#rest();
    outgoing.writeHead(status, allFields(fields, requestId, extra, fields.contentLength));
    if (!wait) outgoing.flushHeaders();
  }

  write(piece: Buffer): PieceState {
    this.#pieces ??= new PieceWriter(this.outgoing, this.#backlog.taken);
    return this.#pieces.send(piece) ?? this.#backlog.write(this.outgoing, piece);
  }

  flush(): boolean {
    return this.#pieces === null ? this.#wholeSent : this.#pieces.flush();
  }

  get full(): boolean {
    const socket = this.outgoing.socket;
    return socket !== null && socket.writableLength > 0 && socket.writableNeedDrain;
  }

  end(piece: Buffer | null): boolean {
    const { outgoing } = this;
    if (piece === null) outgoing.end();
    else if (piece.length < SMALL_BYTES) outgoing.end(Buffer.from(piece));
    else {
      const state = this.write(piece);
      outgoing.end();
      return state !== "gathered";
    }
    return true;
  }

  onDrain(listener: () => void): void {
    this.#backlog.onDrain(this.outgoing.socket ?? this.outgoing, listener);
  }

  trailers(list: readonly string[]): void {
    if (!this.#takesTrailers) return;
    const pairs: [string, string][] = [];
    for (let i = 0; i + 1 < list.length; i += 2) pairs.push([list[i] ?? "", list[i + 1] ?? ""]);
    this.outgoing.addTrailers(pairs);
  }

  /** A connection that breaks off is the only sign that HTTP/1.1 has. */
  cutOff(): void {
    this.#pieces?.flush();
    this.outgoing.destroy();
  }

  distrust(): void {
    this.outgoing.shouldKeepAlive = false;
    linger(this.incoming.socket);
  }

  /** An answer before the request's body is there: the rest of it is dropped, and the connection not used again. */
  #rest(): void {
    if (!this.#withBody || this.incoming.complete) return;
    this.outgoing.shouldKeepAlive = false;
    this.incoming.resume();
    linger(this.incoming.socket);
  }
}

/** `length`: the Content-Length; -1: none. */
function allFields(fields: ResponseFields, requestId: string, extra: FieldList | null, length: number): string[] {
  const list = [...fields.list, "x-request-id", requestId];
  if (length >= 0) list.push("content-length", String(length));
  if (extra !== null) list.push(...extra.list);
  return list;
}

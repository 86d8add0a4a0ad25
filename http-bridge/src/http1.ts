// A request of HTTP/1.x and its way back: Node's IncomingMessage and ServerResponse behind the Responder port.
// Small whole answers leave by the short way (whole-response.ts), all others by writeHead() and end().

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Exchange } from "./exchange.ts";
import { type FieldList, type ResponseFields, hasBody, withUpgrade } from "./model/response.ts";
import type { Responder } from "./responder.ts";
import { canSendWhole, sendWhole } from "./whole-response.ts";

/** Bodies up to this go out in one write with their head. */
const ONE_WRITE_BYTES = 8 * 1024;

/** One request of HTTP/1.x. */
export class Http1Responder implements Responder {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** Set once the request was looked at. */
  exchange: Exchange | null = null;
  /** The request before it on the same connection, if that has no answer yet. */
  before: Http1Responder | null = null;
  readonly #withBody: boolean;

  /** `withBody`: whether the request has a body, as its header section says. */
  constructor(req: IncomingMessage, res: ServerResponse, withBody: boolean) {
    this.incoming = req;
    this.outgoing = res;
    this.#withBody = withBody;
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

  whole(status: number, fields: ResponseFields, body: Buffer | null, requestId: string, further: FieldList | null): void {
    const { incoming, outgoing } = this;
    const extra = withUpgrade(status, further);
    if ((body === null || body.length <= ONE_WRITE_BYTES) && canSendWhole(incoming, outgoing, status)) {
      sendWhole(outgoing, status, fields, body, requestId, extra);
      return;
    }
    const list = allFields(fields, requestId, extra);
    if (status !== 204 && status !== 304) list.push("content-length", String(body?.length ?? 0));
    this.#rest();
    outgoing.writeHead(status, list);
    if (body !== null && hasBody(incoming.method ?? "", status)) outgoing.end(body);
    else outgoing.end();
  }

  start(status: number, fields: ResponseFields, requestId: string, extra: FieldList | null, wait: boolean): void {
    this.#rest();
    this.outgoing.writeHead(status, allFields(fields, requestId, extra));
    if (!wait) this.outgoing.flushHeaders();
  }

  trailers({ list }: ResponseFields): void {
    for (let i = 0; i + 1 < list.length; i += 2) this.outgoing.addTrailers({ [list[i] ?? ""]: list[i + 1] ?? "" });
  }

  /** A connection that breaks off is the only sign that HTTP/1.1 has. */
  cutOff(): void {
    this.outgoing.destroy();
  }

  distrust(): void {
    this.outgoing.shouldKeepAlive = false;
  }

  /** An answer before the request's body is there: the rest of it is not read, and the connection not used again. */
  #rest(): void {
    if (!this.#withBody || this.incoming.complete) return;
    this.outgoing.shouldKeepAlive = false;
    this.incoming.resume();
  }
}

function allFields(fields: ResponseFields, requestId: string, extra: FieldList | null): string[] {
  const list = [...fields.list, "x-request-id", requestId];
  if (extra !== null) list.push(...extra.list);
  return list;
}

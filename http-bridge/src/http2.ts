// A request of HTTP/2 and its way back: a stream of node:http2 behind the Responder port. What a connection may do stands in
// http2-server.ts. No push, and no trailers unless the handler has sent some. What is sent is a copy, as nghttp2 holds it
// for as long as the caller's window is closed.

import { type ServerHttp2Stream, constants } from "node:http2";
import { Backlog } from "./backlog.ts";
import type { Exchange } from "./exchange.ts";
import { http2Answer } from "./model/http2-fields.ts";
import { type FieldList, type ResponseFields, hasBody, lengthOfWhole } from "./model/response.ts";
import type { PieceState, Responder } from "./responder.ts";

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** One request of HTTP/2. */
export class Http2Responder implements Responder {
  readonly incoming: ServerHttp2Stream;
  readonly outgoing: ServerHttp2Stream;
  readonly hidesEnd = false;
  /** Whether the request is here to its end. */
  received: boolean;
  /** When it began to come, on performance.now()'s scale. */
  readonly since: number;
  /** Set once the request was looked at. */
  exchange: Exchange | null = null;
  /** Fields behind the request's body. */
  behindBody: readonly string[] = [];
  readonly #method: string;
  #stalls = false;
  readonly #backlog = new Backlog();
  #trailers: Record<string, string[]> = {};

  constructor(stream: ServerHttp2Stream, method: string, since: number) {
    this.incoming = stream;
    this.outgoing = stream;
    this.received = stream.endAfterHeaders;
    this.since = since;
    this.#method = method;
    if (!this.received) {
      stream.once("trailers", (_fields: unknown, _flags: number, raw: readonly string[]) => {
        this.behindBody = raw;
      });
      stream.once("end", () => {
        this.received = true;
      });
    }
  }

  get secure(): boolean {
    return this.outgoing.session?.encrypted === true;
  }

  get begun(): boolean {
    return this.outgoing.headersSent;
  }

  goOn(): void {
    this.outgoing.additionalHeaders({ ":status": 100 });
  }

  /** Gives a caller up that takes nothing of what waits for it for this long. To be called now and then. */
  watch(sendTimeoutMs: number): void {
    const { outgoing } = this;
    const stalls = outgoing.writableLength > 0;
    if (stalls === this.#stalls || outgoing.closed) return;
    this.#stalls = stalls;
    // Node counts from when something last went out.
    outgoing.removeAllListeners("timeout");
    outgoing.setTimeout(stalls ? sendTimeoutMs : 0, () => outgoing.close(NGHTTP2_CANCEL));
  }

  whole(status: number, fields: ResponseFields, body: Buffer | null, requestId: string, extra: FieldList | null): boolean {
    const { outgoing } = this;
    if (outgoing.destroyed || outgoing.closed) return true;
    const list = http2Answer(status, fields.list, requestId, extra?.list ?? null);
    const length = lengthOfWhole(this.#method, status, fields, body);
    if (length >= 0) list.push("content-length", String(length));
    if (body !== null && body.length > 0 && hasBody(this.#method, status)) {
      outgoing.respond(list);
      outgoing.end(Buffer.from(body));
    } else outgoing.respond(list, { endStream: true });
    if (!this.received) outgoing.once("finish", () => this.#stopBody());
    return true;
  }

  start(status: number, fields: ResponseFields, requestId: string, extra: FieldList | null): void {
    const { outgoing } = this;
    if (outgoing.destroyed || outgoing.closed) return;
    const list = http2Answer(status, fields.list, requestId, extra?.list ?? null);
    if (fields.contentLength >= 0) list.push("content-length", String(fields.contentLength));
    outgoing.respond(list, { waitForTrailers: true });
    // Without fields this is the end of the stream and nothing else.
    outgoing.once("wantTrailers", () => {
      outgoing.sendTrailers(this.#trailers);
      if (!this.received) this.#stopBody();
    });
  }

  write(piece: Buffer): PieceState {
    return this.#backlog.write(this.outgoing, piece);
  }

  flush(): boolean {
    return true;
  }

  get full(): boolean {
    return this.outgoing.writableNeedDrain;
  }

  end(piece: Buffer | null): boolean {
    if (piece === null) this.outgoing.end();
    else this.outgoing.end(Buffer.from(piece));
    return true;
  }

  onDrain(listener: () => void): void {
    this.#backlog.onDrain(this.outgoing, listener);
  }

  trailers(list: readonly string[]): void {
    const trailers: Record<string, string[]> = Object.create(null);
    for (let i = 0; i + 1 < list.length; i += 2) (trailers[list[i] ?? ""] ??= []).push(list[i + 1] ?? "");
    this.#trailers = trailers;
  }

  /**
   * The caller need not go on with a body that nobody reads (RFC 9113, section 8.1). In the next turn, as nghttp2 drops what
   * it has not yet sent of a stream that is being reset.
   */
  #stopBody(): void {
    const { outgoing } = this;
    setImmediate(() => {
      if (!this.received && !outgoing.destroyed) outgoing.close(NGHTTP2_NO_ERROR);
    });
  }

  cutOff(): void {
    this.outgoing.close(NGHTTP2_INTERNAL_ERROR);
  }

  distrust(): void {
    // What is wrong with a stream says nothing of the others on its connection.
  }
}

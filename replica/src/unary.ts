// The replica's end of unary Handle: one whole request, one whole answer. For clients that speak no Session.
// The deadline is the lower one of the head's timeout and of the call's own (grpc-timeout).

import { type Fault, HeadgateError, LIMITS, type WebSocketConnection, fault } from "@headgate/core";
import { HandleRequest, HandleResponse, RequestHead, ResponseHead } from "@headgate/proto/replica";
import { type RequestHeadView, readRequestHead } from "@headgate/proto/wire";
import { faultToProto } from "@headgate/rpc/fault-codec";
import { pairsFromProto, pairsToProto } from "@headgate/rpc/pairs";
import type { CallHandler, ServerCall } from "@headgate/rpc/stream-server";
import { CALLER_GONE, Cancellation, EXPIRED } from "./cancellation.ts";
import type { Deadlines } from "./deadlines.ts";
import { RequestBody } from "./request-body.ts";
import { type Answer, type StreamAnswer, NO_FIELDS, fieldsOfPiece, pieceOf } from "./result.ts";
import type { Incoming, Runner } from "./runner.ts";

/** Room for the head in a message. */
const MOST_BYTES = LIMITS.grpcMessageBytes - LIMITS.headerBytes - 1024;
const NO_HEAD = readRequestHead(Buffer.alloc(0), 0, 0);

/** One call of Handle. */
export class UnaryCall implements CallHandler, Incoming {
  readonly sender = null;
  readonly body = new RequestBody(() => undefined);
  trailers: string[] | null = null;
  readonly #runner: Runner;
  readonly #deadlines: Deadlines;
  readonly #call: ServerCall;
  readonly #cameMs = performance.now();
  #head: RequestHeadView | null = null;
  #cancellation: Cancellation | null = null;
  #answered = false;
  #pieces: StreamAnswer["pieces"] | null = null;

  constructor(runner: Runner, deadlines: Deadlines, call: ServerCall) {
    this.#runner = runner;
    this.#deadlines = deadlines;
    this.#call = call;
  }

  get head(): RequestHeadView {
    return this.#head ?? NO_HEAD;
  }

  get deadlineMs(): number {
    const timeouts = [this.head.timeoutMs, this.#call.timeoutMs].filter((timeoutMs) => timeoutMs > 0);
    return timeouts.length === 0 ? Number.POSITIVE_INFINITY : this.#cameMs + Math.min(...timeouts);
  }

  get cancellation(): Cancellation {
    this.#cancellation ??= new Cancellation(this.#deadlines, this.deadlineMs, () => this.giveUp(EXPIRED, EXPIRED));
    return this.#cancellation;
  }

  get gone(): Fault | null {
    return this.#cancellation === null ? null : this.#cancellation.reason;
  }

  message(message: Buffer): void {
    if (this.#head !== null) throw new HeadgateError(fault("replica_protocol", "Handle takes one message"));
    const request = HandleRequest.decode(message);
    const head = Buffer.from(RequestHead.encode(request.head ?? RequestHead.fromPartial({})).finish());
    this.#head = readRequestHead(head, 0, head.length);
    this.body.push(Buffer.from(request.body), true, pairsFromProto(request.trailers));
    this.cancellation.watch();
    this.#runner.run(this);
  }

  halfClosed(): void {
    if (this.#head === null) this.#call.end(fault("replica_protocol", "Handle takes one message"));
  }

  closed(): void {
    if (!this.#answered) this.#cancel(CALLER_GONE);
  }

  accept(): WebSocketConnection {
    throw new HeadgateError(fault("websocket_unsupported", "Handle carries no WebSockets; use Session"));
  }

  answer(answer: Answer): Promise<void> | null {
    if (answer.kind === "stream") return this.#collect(answer);
    const { status, headers, body } = answer;
    this.#send(status, headers, typeof body === "string" ? Buffer.from(body, "utf8") : (body ?? Buffer.alloc(0)));
    return null;
  }

  refuse(failure: Fault): void {
    this.#reply({ head: undefined, body: new Uint8Array(), fault: faultToProto(failure), trailers: [] });
  }

  /** Gathers a streamed answer. A caller who leaves ends its iterator at once. */
  async #collect({ status, headers, pieces, encode }: StreamAnswer): Promise<void> {
    this.#pieces = pieces;
    const parts: Uint8Array[] = [];
    let fields = headers;
    let bytes = 0;
    while (true) {
      if (this.gone !== null || bytes > MOST_BYTES) {
        await pieces.return?.();
        if (this.gone !== null) return;
        break;
      }
      const next = await pieces.next();
      if (next.done === true) break;
      const value: unknown = encode === null ? next.value : encode(next.value);
      fields ??= fieldsOfPiece(value);
      const piece = pieceOf(value);
      const part = typeof piece === "string" ? Buffer.from(piece, "utf8") : piece;
      bytes += part.length;
      parts.push(part);
    }
    this.#send(status, fields ?? NO_FIELDS, bytes > MOST_BYTES ? null : Buffer.concat(parts));
  }

  /** Sends an answer; null: its body is too large. */
  #send(status: number, headers: Uint8Array, body: Uint8Array | null): void {
    if (body === null || body.length > MOST_BYTES) {
      this.refuse(
        fault("handler_result_invalid", `the answer is larger than ${MOST_BYTES} bytes, the most for Handle; use Session`, {
          limit: "grpcMessageBytes",
        }),
      );
      return;
    }
    this.#reply({ head: { ...ResponseHead.decode(headers), status }, body, fault: undefined, trailers: pairsToProto(this.trailers ?? []) });
  }

  #reply(response: HandleResponse): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#cancellation?.over();
    this.#call.send(HandleResponse.encode(response).finish());
    this.#call.end(null);
  }

  giveUp(reason: Fault, told: Fault): void {
    this.#cancel(reason);
    this.refuse(told);
  }

  #cancel(reason: Fault): void {
    this.body.fail(new HeadgateError(reason));
    this.cancellation.cancel(reason);
    // A stream whose iterator is read through a reader ends at once; a generator when it goes on.
    void Promise.resolve(this.#pieces?.return?.()).catch(() => undefined);
  }
}

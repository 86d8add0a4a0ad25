// The replica's end of unary Handle: one whole request, one whole answer. For clients that speak no Session.

import { type Fault, HeadgateError, LIMITS, type WebSocketConnection, fault } from "@headgate/core";
import { HandleRequest, HandleResponse, RequestHead, ResponseHead } from "@headgate/proto/replica";
import { type RequestHeadView, readRequestHead } from "@headgate/proto/wire";
import { faultToProto } from "@headgate/rpc/fault-codec";
import type { CallHandler, ServerCall } from "@headgate/rpc/stream-server";
import { RequestBody } from "./request-body.ts";
import { type Answer, type StreamAnswer, NO_FIELDS, pieceOf } from "./result.ts";
import type { Incoming, Runner } from "./runner.ts";

/** Room for the head in a message. */
const MOST_BYTES = LIMITS.grpcMessageBytes - LIMITS.headerBytes - 1024;

/** One call of Handle. */
export class UnaryCall implements CallHandler, Incoming {
  readonly sender = null;
  readonly #runner: Runner;
  readonly #call: ServerCall;
  #head: RequestHeadView | null = null;
  readonly body = new RequestBody(() => undefined);
  readonly #controller = new AbortController();
  #answered = false;

  constructor(runner: Runner, call: ServerCall) {
    this.#runner = runner;
    this.#call = call;
  }

  get head(): RequestHeadView {
    this.#head ??= readRequestHead(Buffer.alloc(0), 0, 0);
    return this.#head;
  }

  signal(): AbortSignal {
    return this.#controller.signal;
  }

  message(message: Buffer): void {
    if (this.#head !== null) throw new HeadgateError(fault("replica_protocol", "Handle takes one message"));
    const request = HandleRequest.decode(message);
    const head = Buffer.from(RequestHead.encode(request.head ?? RequestHead.fromPartial({})).finish());
    this.#head = readRequestHead(head, 0, head.length);
    this.body.push(Buffer.from(request.body), true);
    this.#runner.run(this);
  }

  halfClosed(): void {
    if (this.#head === null) this.#call.end(fault("replica_protocol", "Handle takes one message"));
  }

  closed(): void {
    if (!this.#answered) this.#controller.abort(new HeadgateError(fault("cancelled", "the caller is gone")));
  }

  accept(): WebSocketConnection {
    throw new HeadgateError(fault("websocket_unsupported", "Handle carries no WebSockets; use Session"));
  }

  answer(answer: Answer): Promise<void> | null {
    if (answer.kind === "stream") return this.#collect(answer);
    this.#send(
      answer.status,
      answer.headers,
      typeof answer.body === "string" ? Buffer.from(answer.body, "utf8") : (answer.body ?? Buffer.alloc(0)),
    );
    return null;
  }

  refuse(failure: Fault): void {
    this.#reply({ head: undefined, body: new Uint8Array(), fault: faultToProto(failure), trailers: [] });
  }

  async #collect({ status, headers, pieces }: StreamAnswer): Promise<void> {
    const parts: Uint8Array[] = [];
    let fields = headers;
    let bytes = 0;
    while (true) {
      const next = await pieces.next();
      if (next.done === true) break;
      const piece = pieceOf(next.value);
      fields ??= piece.headers;
      bytes += piece.bytes.length;
      if (bytes > MOST_BYTES || this.#controller.signal.aborted) {
        await pieces.return?.();
        break;
      }
      parts.push(piece.bytes);
    }
    this.#send(status, fields ?? NO_FIELDS, Buffer.concat(parts), bytes);
  }

  #send(status: number, headers: Uint8Array, body: Uint8Array, bytes = body.length): void {
    if (bytes > MOST_BYTES) {
      this.refuse(
        fault("handler_result_invalid", `the answer is larger than ${MOST_BYTES} bytes, the most for Handle; use Session`, {
          limit: "grpcMessageBytes",
        }),
      );
      return;
    }
    this.#reply({ head: { ...ResponseHead.decode(headers), status }, body, fault: undefined, trailers: [] });
  }

  #reply(response: HandleResponse): void {
    this.#answered = true;
    this.#call.send(HandleResponse.encode(response).finish());
    this.#call.end(null);
  }
}

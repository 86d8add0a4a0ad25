// The way to a replica that has no Session: one unary Handle call a request, its body and answer whole.

import { HeadgateError, LIMITS, fault } from "@headgate/core";
import { HandleRequest, HandleResponse } from "@headgate/proto/replica";
import { pairsFromProto, pairsToProto } from "@headgate/rpc/pairs";
import { lengthOf } from "@headgate/rpc/pieces";
import { type GrpcConnection, callUnary, connectTo } from "@headgate/rpc/stream";
import type { Call } from "./call.ts";
import type { Link, LinkEvents } from "./link.ts";
import { brokenContract, faultOfReplica, fieldsProblem } from "./replica-words.ts";

const PATH = "/headgate.v1.ReplicaService/Handle";
/** Room for the head in a message. */
const MAX_BODY_BYTES = LIMITS.grpcMessageBytes - LIMITS.headerBytes - LIMITS.urlBytes - 1024;

/** An open connection for unary calls. */
export class UnaryLink implements Link {
  /** Each call leaves alone. */
  readonly gathering = false;
  readonly answersPings = false;
  readonly #connection: GrpcConnection;
  readonly #events: LinkEvents;
  readonly #running = new Map<Call, AbortController>();

  constructor(address: string, events: LinkEvents) {
    this.#events = events;
    this.#connection = connectTo(
      address,
      () => events.opened(),
      () => {
        const lost = [...this.#running.keys()];
        this.#running.clear();
        events.ended(lost, false);
      },
    );
  }

  start(call: Call): void {
    if (call.websocket) {
      this.#events.failed(call, fault("websocket_unsupported", "the backend's program serves no Session, which WebSockets need"));
      return;
    }
    this.#running.set(call, new AbortController());
    this.pump(call);
  }

  pump(call: Call): void {
    if (!this.#running.has(call)) return;
    // Gathered beside the call, so that whoever sends them goes on; they are at hand for a second try.
    call.held ??= [];
    for (const piece of call.pieces.splice(0)) call.hold(piece);
    const bytes = lengthOf(call.held);
    if (bytes > MAX_BODY_BYTES) {
      this.#running.delete(call);
      this.#events.failed(
        call,
        fault("body_too_large", `the body is larger than ${MAX_BODY_BYTES} bytes, the most for a replica without Session`, {
          limit: "grpcMessageBytes",
        }),
      );
      return;
    }
    if (call.bodyEnded) void this.#call(call);
    else call.sink.writable();
  }

  endBody(call: Call): void {
    this.pump(call);
  }

  message(): boolean {
    // No WebSocket is ever accepted here.
    return true;
  }

  cancel(call: Call): void {
    const running = this.#running.get(call);
    this.#running.delete(call);
    running?.abort();
  }

  consumed(): void {
    // The whole answer is here already.
  }

  ping(): void {
    // Handle has no pings.
  }

  answerRoom(): void {
    // Handle gives no room.
  }

  close(): void {
    this.#connection.close();
  }

  async #call(call: Call): Promise<void> {
    const running = this.#running.get(call);
    if (running === undefined) return;
    call.sent = true;
    let response: HandleResponse;
    try {
      const target = { path: PATH, timeoutMs: call.timeoutMs };
      response = HandleResponse.decode(await callUnary(this.#connection, target, encode(call), running.signal));
    } catch (error) {
      if (!this.#running.delete(call)) return;
      if (error instanceof HeadgateError && error.code === "replica_lost" && error.details["grpcStatus"] === undefined) {
        this.#events.lost(call);
      } else {
        // Why is the replica's matter; its words are not for the caller.
        this.#events.failed(call, brokenContract("answered Handle with an error"));
      }
      return;
    }
    if (this.#running.delete(call)) this.#answer(call, response);
  }

  #answer(call: Call, response: HandleResponse): void {
    const { head } = response;
    if (response.fault !== undefined) {
      const both = head !== undefined || response.body.length > 0;
      this.#events.failed(call, both ? brokenContract("answered and failed at once") : faultOfReplica(response.fault));
      return;
    }
    if (head === undefined || head.status < 200 || head.status > 599) {
      this.#events.failed(call, brokenContract(`answered with status ${head?.status ?? 0}`));
      return;
    }
    const headers = pairsFromProto(head.headers);
    const trailers = pairsFromProto(response.trailers);
    const problem = fieldsProblem(headers) ?? fieldsProblem(trailers);
    if (problem !== null) {
      this.#events.failed(call, problem);
      return;
    }
    call.answered = true;
    call.held = null;
    this.#events.finished(call);
    const body = response.body.length > 0 ? Buffer.from(response.body.buffer, response.body.byteOffset, response.body.length) : null;
    // The bytes are the call's alone: whatever becomes of them, they stay as they are.
    if (!call.sink.head(head.status, headers, body, trailers.length === 0, head.form)) call.sink.release();
    if (trailers.length > 0) call.sink.body(null, true, trailers);
  }
}

function encode(call: Call): Uint8Array {
  return HandleRequest.encode({
    head: {
      endpoint: call.endpoint,
      method: call.method,
      target: call.target,
      headers: pairsToProto(call.headers),
      params: pairsToProto(call.params),
      timeoutMs: call.timeoutMs,
      callMethod: call.callMethod,
      requestId: call.requestId,
      shadow: call.shadow,
      websocket: call.websocket,
      via: [...call.via],
      secure: call.secure,
    },
    body: Buffer.concat(call.held ?? []),
    trailers: pairsToProto(call.trailers),
  }).finish();
}

// One request of a session: its body as it comes, its signal, and its answer within the credit that the bridge gives; or the
// WebSocket that it has become.
// What is rare (a body in pieces, a signal, trailers, a stream) is made when it is needed: a small request has none of it.

import { type Fault, HeadgateError, LIMITS, type WebSocketClose, type WebSocketConnection, fault } from "@headgate/core";
import { type EncodedHeaders, type RequestHeadView, encodeHeaders } from "@headgate/proto/wire";
import { AnswerStream, type StreamOut } from "./answer-stream.ts";
import { Cancellation, EXPIRED } from "./cancellation.ts";
import { RequestBody } from "./request-body.ts";
import type { Answer, StreamAnswer } from "./result.ts";
import type { Incoming } from "./runner.ts";
import type { ReplicaSession } from "./session.ts";
import { ReplicaSocket } from "./websocket.ts";

const ANSWERED = fault("cancelled", "the request has been answered; the rest of its body was not waited for");
const SOCKET_CLOSED = fault("cancelled", "the WebSocket has ended");

/** One request. */
export class SessionCall implements Incoming, StreamOut {
  readonly streamId: number;
  readonly head: RequestHeadView;
  /** Whether an answer still has somewhere to go. The session's to change. */
  open = true;
  /** Bytes of the answer that may be sent now. */
  credit: number = LIMITS.streamWindowBytes;
  /** Fields behind the answer's body; null: none. */
  trailers: string[] | null = null;
  readonly #session: ReplicaSession;
  /** When it came, in whole milliseconds on performance.now()'s scale. */
  readonly #cameMs: number;
  readonly #firstPiece: Buffer | null;
  readonly #whole: boolean;
  #body: RequestBody | null = null;
  #cancellation: Cancellation | null = null;
  #stream: AnswerStream | null = null;
  #socket: ReplicaSocket | null = null;
  /** Bytes of the body that the bridge may still send. */
  #receivable: number = LIMITS.streamWindowBytes;
  #owed = 0;

  constructor(session: ReplicaSession, streamId: number, head: RequestHeadView, body: Buffer | null, end: boolean, cameMs: number) {
    this.#session = session;
    this.streamId = streamId;
    this.head = head;
    this.#cameMs = cameMs;
    this.#firstPiece = body;
    // A request for a WebSocket has no body; what follows it are messages.
    this.#whole = end || head.websocket;
    if (!this.#whole) this.received(body, false);
  }

  get sender(): ReplicaSession {
    return this.#session;
  }

  get body(): RequestBody {
    if (this.#body === null) {
      this.#body = new RequestBody((bytes) => this.#owe(bytes));
      if (this.#whole) this.#body.push(this.#firstPiece, true);
    }
    return this.#body;
  }

  get cancellation(): Cancellation {
    if (this.#cancellation === null) {
      this.#cancellation = new Cancellation(this.#session.deadlines, this.deadlineMs, () => {
        // The bridge keeps deadlines too; whoever is first tells the other.
        this.giveUp(EXPIRED, EXPIRED);
      });
      if (!this.open) this.#cancellation.over();
    }
    return this.#cancellation;
  }

  get gone(): Fault | null {
    return this.#cancellation === null ? null : this.#cancellation.reason;
  }

  get deadlineMs(): number {
    const { timeoutMs } = this.head;
    // A WebSocket lasts as long as it lasts.
    return timeoutMs === 0 || this.#socket !== null ? Number.POSITIVE_INFINITY : this.#cameMs + timeoutMs;
  }

  // --- what the bridge says ---

  received(piece: Buffer | null, end: boolean, trailers?: readonly string[]): void {
    if (piece !== null) {
      this.#receivable -= piece.length;
      if (this.#receivable < 0) throw new HeadgateError(fault("replica_protocol", "a body is larger than the credit for it"));
    }
    this.body.push(piece, end, trailers);
  }

  grant(bytes: number): void {
    if (this.#socket !== null) this.#socket.grant(bytes);
    this.credit += bytes;
    this.#stream?.wake();
  }

  /** A message of an accepted WebSocket. */
  message(part: number, body: Buffer | null): void {
    this.#socket?.received(part, body);
  }

  /** Ends a WebSocket, whatever its handler does. */
  endSocket(close: WebSocketClose): void {
    this.#socket?.abort(close, true);
  }

  /** The request ends early. The session knows it no more. */
  cancelled(reason: Fault): void {
    this.#body?.fail(new HeadgateError(reason));
    this.cancellation.cancel(reason);
    this.#stream?.cancel();
    this.#socket?.vanished();
  }

  /** The whole answer is written: what was watched and waited for is let go of. */
  closed(): void {
    this.#cancellation?.over();
    // An error costs its stack trace: made only where somebody may still wait for more.
    if (this.#body !== null && !this.#body.complete) this.#body.fail(new HeadgateError(ANSWERED));
  }

  // --- the answer ---

  accept(protocol: string, headers: EncodedHeaders): WebSocketConnection {
    if (this.#socket !== null) throw new TypeError("the WebSocket was accepted before");
    const socket = new ReplicaSocket(protocol, {
      part: (part, body, end) => this.#session.writePart(this, part, body, end),
      end: () => this.#session.writeMore(this, null, true, null),
      consumed: (bytes) => this.#owe(bytes),
      lost: () => this.cancellation.cancel(SOCKET_CLOSED),
    });
    this.#socket = socket;
    this.#cancellation?.last();
    if (this.open) this.#session.writeStart(this, 101, headers, null, false);
    else socket.vanished();
    return socket;
  }

  answer(answer: Answer): Promise<void> | null {
    if (this.#socket !== null) return this.#socket.finish();
    if (answer.kind === "stream") return this.#answerStream(answer);
    const { status, headers, body } = answer;
    // One frame holds 64 KiB; a string of a third of that fits whatever its characters.
    const most = LIMITS.bodyChunkBytes;
    if (body === null || body.length <= most / 3 || (typeof body !== "string" && body.length <= most)) {
      this.start(status, headers, body, true);
      return null;
    }
    const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
    // Whole, if not in one frame: the caller may know how much is to come. Fields behind a body exclude that in HTTP/1.1.
    const fields = this.trailers === null ? Buffer.concat([headers, encodeHeaders(["content-length", String(bytes.length)])]) : headers;
    return this.#answerStream({ kind: "stream", status, headers: fields, pieces: [bytes].values(), encode: null, headFirst: false });
  }

  refuse(failure: Fault): void {
    this.#session.writeFault(this, failure);
    this.#socket?.ended({ code: 1011, reason: "" });
  }

  #answerStream(answer: StreamAnswer): Promise<void> {
    this.#stream = new AnswerStream(answer, this);
    if (!this.open) this.#stream.cancel();
    return this.#stream.run();
  }

  gather(stream: AnswerStream, urgent: boolean): void {
    this.#session.gather(stream, urgent);
  }

  start(status: number, headers: EncodedHeaders, body: string | Uint8Array | null, end: boolean): void {
    const { trailers } = this;
    if (end && trailers !== null) {
      this.#session.writeStart(this, status, headers, null, false);
      this.#session.writeMore(this, body, true, trailers);
    } else this.credit -= this.#session.writeStart(this, status, headers, body, end);
  }

  more(body: string | Uint8Array | null, end: boolean): void {
    this.credit -= this.#session.writeMore(this, body, end, end ? this.trailers : null);
  }

  /** Grants credit for the body in portions, as the handler reads. */
  #owe(bytes: number): void {
    this.#owed += bytes;
    if (this.#owed < LIMITS.bodyChunkBytes) return;
    this.#session.writeCredit(this, this.#owed);
    this.#receivable += this.#owed;
    this.#owed = 0;
  }

  giveUp(reason: Fault, told: Fault): void {
    this.cancelled(reason);
    this.refuse(told);
  }
}

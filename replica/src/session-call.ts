// One request of a session: its body as it comes, its signal, and its answer within the credit that the bridge gives; or the
// WebSocket that it has become.

import { type Fault, HeadgateError, LIMITS, type WebSocketClose, type WebSocketConnection, fault } from "@headgate/core";
import type { EncodedHeaders, RequestHeadView } from "@headgate/proto/wire";
import { AnswerStream } from "./answer-stream.ts";
import { RequestBody } from "./request-body.ts";
import type { Answer, StreamAnswer } from "./result.ts";
import type { Incoming } from "./runner.ts";
import type { ReplicaSession } from "./session.ts";
import { ReplicaSocket } from "./websocket.ts";

const CLOSED = fault("cancelled", "the WebSocket has ended");

/** One request. */
export class SessionCall implements Incoming {
  readonly streamId: number;
  readonly head: RequestHeadView;
  /** Whether an answer still has somewhere to go. The session's to change. */
  open = true;
  readonly #session: ReplicaSession;
  readonly #firstPiece: Buffer | null;
  readonly #whole: boolean;
  #body: RequestBody | null = null;
  #controller: AbortController | null = null;
  #gone: Fault | null = null;
  #stream: AnswerStream | null = null;
  #socket: ReplicaSocket | null = null;
  #credit: number = LIMITS.streamWindowBytes;
  #owed = 0;

  constructor(session: ReplicaSession, streamId: number, head: RequestHeadView, body: Buffer | null, end: boolean) {
    this.#session = session;
    this.streamId = streamId;
    this.head = head;
    this.#firstPiece = body;
    // A request for a WebSocket has no body; what follows it are messages.
    this.#whole = end || head.websocket;
    if (!this.#whole) this.body.push(body, false);
  }

  get sender(): ReplicaSession {
    return this.#session;
  }

  get body(): RequestBody {
    if (this.#body === null) {
      this.#body = new RequestBody((bytes) => this.#owe(bytes));
      if (this.#whole) this.#body.push(this.#firstPiece, true);
      if (this.#gone !== null) this.#body.fail(new HeadgateError(this.#gone));
    }
    return this.#body;
  }

  signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#gone !== null) this.#controller.abort(new HeadgateError(this.#gone));
    return this.#controller.signal;
  }

  // --- what the bridge says ---

  received(piece: Buffer | null, end: boolean): void {
    this.body.push(piece, end);
  }

  grant(bytes: number): void {
    if (this.#socket !== null) this.#socket.grant(bytes);
    this.#credit += bytes;
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

  cancelled(reason: Fault): void {
    this.#gone = reason;
    const error = new HeadgateError(reason);
    this.#controller?.abort(error);
    this.#body?.fail(error);
    this.#stream?.cancel();
    this.#socket?.vanished();
  }

  // --- the answer ---

  accept(protocol: string, headers: EncodedHeaders): WebSocketConnection {
    if (this.#socket !== null) throw new TypeError("the WebSocket was accepted before");
    const socket = new ReplicaSocket(protocol, {
      part: (part, body, end) => this.#session.writePart(this, part, body, end),
      end: () => this.#session.writePiece(this, null, true),
      consumed: (bytes) => this.#owe(bytes),
      lost: () => this.#abort(CLOSED),
    });
    this.#socket = socket;
    if (this.#gone === null) this.#session.writeHead(this, 101, headers);
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
      this.#session.writeWhole(this, status, headers, body);
      return null;
    }
    const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
    return this.#answerStream({ kind: "stream", status, headers, pieces: [bytes][Symbol.iterator]() });
  }

  refuse(failure: Fault): void {
    this.#session.writeFault(this, failure);
    this.#socket?.ended({ code: 1011, reason: "" });
  }

  #abort(reason: Fault): void {
    this.#gone ??= reason;
    this.#controller?.abort(new HeadgateError(reason));
  }

  #answerStream(answer: StreamAnswer): Promise<void> {
    this.#stream = new AnswerStream(answer, {
      credit: () => this.#credit,
      head: (status, headers) => this.#session.writeHead(this, status, headers),
      whole: (status, headers, body) => this.#session.writeWhole(this, status, headers, body),
      piece: (piece) => {
        this.#credit -= piece.length;
        this.#session.writePiece(this, piece, false);
      },
      end: () => this.#session.writePiece(this, null, true),
    });
    if (this.#gone !== null) this.#stream.cancel();
    return this.#stream.run();
  }

  /** Grants credit for the body in portions, as the handler reads. */
  #owe(bytes: number): void {
    this.#owed += bytes;
    if (this.#owed < LIMITS.bodyChunkBytes) return;
    this.#session.writeCredit(this, this.#owed);
    this.#owed = 0;
  }
}

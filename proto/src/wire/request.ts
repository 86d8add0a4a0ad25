// SessionRequest on the wire: how a bridge writes request frames and a replica reads them.
// Bytes are those of the generated code in proto/gen/headgate/v1/replica.ts; a test compares the two both ways.
// Heads are read lazily: a field that no handler looks at is never decoded.

import { WireError, WireReader, readPair } from "./reader.ts";
import type { WireWriter } from "./writer.ts";

/** What a bridge says of a request, ready to be written. */
export interface RequestHeadInit {
  readonly endpoint: string;
  readonly method: string;
  readonly target: string;
  /** Names in lower case and values in turn. */
  readonly headers: readonly string[];
  /** Names and values in turn. */
  readonly params: readonly string[];
  readonly timeoutMs: number;
  /** Empty: "handle". */
  readonly callMethod: string;
  readonly requestId: string;
  readonly shadow: boolean;
  /** Whether a WebSocket is asked for. */
  readonly websocket: boolean;
  /** Backends whose handlers made this request one from the other, outermost first. */
  readonly via: readonly string[];
  /** Whether the caller's connection is one of TLS. */
  readonly secure: boolean;
}

const FRAMES = 0x0a;
const PING = 0x10;
const ROOM_ANSWER = 0x18;
const STREAM_ID = 0x08;
const HEAD = 0x12;
const BODY = 0x1a;
const END = 0x20;
const CANCEL = 0x28;
const CREDIT = 0x30;
const TRAILERS = 0x3a;
const EXPIRED = 0x40;
const PART = 0x48;

const H_ENDPOINT = 0x0a;
const H_METHOD = 0x12;
const H_TARGET = 0x1a;
const H_HEADERS = 0x22;
const H_PARAMS = 0x2a;
const H_TIMEOUT = 0x30;
const H_CALL_METHOD = 0x3a;
const H_REQUEST_ID = 0x42;
const H_SHADOW = 0x48;
const H_WEBSOCKET = 0x50;
const H_VIA = 0x5a;
const H_SECURE = 0x60;

const NO_PAIRS: readonly string[] = Object.freeze([]);

/** Why a request ends before its answer: the caller is gone, or the deadline has passed. */
export type CancelReason = "cancelled" | "deadline_exceeded";

function writePairs(writer: WireWriter, tag: number, pairs: readonly string[]): void {
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    writer.ensure(5);
    writer.buf[writer.pos++] = tag;
    const mark = writer.open();
    writer.string(0x0a, pairs[i] ?? "");
    writer.string(0x12, pairs[i + 1] ?? "");
    writer.close(mark);
  }
}

/**
 * Writes a frame that opens a request; with `end` and a small body it is the whole request. `apart`: the body has so many bytes, of
 * which nothing is written: the frame is the last of its message, and the caller sends them right behind it.
 */
export function writeRequestOpen(
  writer: WireWriter,
  streamId: number,
  head: RequestHeadInit,
  body: Uint8Array | null,
  end: boolean,
  apart = 0,
): void {
  writer.ensure(32);
  writer.buf[writer.pos++] = FRAMES;
  const frame = writer.open();
  writer.buf[writer.pos++] = STREAM_ID;
  writer.varint(streamId);
  writer.buf[writer.pos++] = HEAD;
  const mark = writer.open();
  writer.string(H_ENDPOINT, head.endpoint);
  writer.string(H_METHOD, head.method);
  writer.string(H_TARGET, head.target);
  writePairs(writer, H_HEADERS, head.headers);
  if (head.params.length > 0) writePairs(writer, H_PARAMS, head.params);
  writer.uint32(H_TIMEOUT, head.timeoutMs);
  if (head.callMethod !== "") writer.string(H_CALL_METHOD, head.callMethod);
  writer.string(H_REQUEST_ID, head.requestId);
  writer.bool(H_SHADOW, head.shadow);
  writer.bool(H_WEBSOCKET, head.websocket);
  if (head.via.length > 0) for (const backend of head.via) writer.string(H_VIA, backend);
  writer.bool(H_SECURE, head.secure);
  writer.close(mark);
  writer.bool(END, end);
  closeWithBody(writer, frame, body, apart);
}

/**
 * Writes a frame with a piece of a request's body, its end and the fields behind it, a cancel, or credit for the response;
 * `apart` as above.
 */
export function writeRequestRest(
  writer: WireWriter,
  streamId: number,
  body: Uint8Array | null,
  end: boolean,
  cancel: CancelReason | null,
  credit: number,
  trailers: readonly string[] = NO_PAIRS,
  apart = 0,
): void {
  writer.ensure(32);
  writer.buf[writer.pos++] = FRAMES;
  const frame = writer.open();
  writer.buf[writer.pos++] = STREAM_ID;
  writer.varint(streamId);
  writer.bool(END, end);
  writer.bool(CANCEL, cancel !== null);
  writer.uint32(CREDIT, credit);
  if (trailers.length > 0) writePairs(writer, TRAILERS, trailers);
  writer.bool(EXPIRED, cancel === "deadline_exceeded");
  closeWithBody(writer, frame, body, apart);
}

/** Writes a frame's last field, its body, and closes it. */
function closeWithBody(writer: WireWriter, frame: number, body: Uint8Array | null, apart: number): void {
  if (apart > 0) {
    writer.bytesApart(BODY, apart);
    writer.close(frame, apart);
  } else if (body === null || body.length === 0) writer.close(frame);
  else {
    writer.bytes(BODY, body);
    writer.close(frame);
  }
}

/** Writes a frame with a WebSocket's message, a piece of one, or its close. `part` is one of WebSocketPart. */
export function writeRequestPart(writer: WireWriter, streamId: number, part: number, body: Uint8Array | null, end: boolean): void {
  writer.ensure(32);
  writer.buf[writer.pos++] = FRAMES;
  const frame = writer.open();
  writer.buf[writer.pos++] = STREAM_ID;
  writer.varint(streamId);
  if (body !== null && body.length > 0) writer.bytes(BODY, body);
  writer.bool(END, end);
  writer.uint32(PART, part);
  writer.close(frame);
}

/** Writes what asks for a pong. */
export function writePing(writer: WireWriter, number: number): void {
  writer.uint32(PING, number);
}

/** Writes the answer to room, one of RoomAnswer. */
export function writeRoomAnswer(writer: WireWriter, answer: number): void {
  writer.uint32(ROOM_ANSWER, answer);
}

/** The head of a request as it lies in the message; its fields are decoded when they are asked for. */
export class RequestHeadView {
  /** Milliseconds that are left; 0: none. */
  timeoutMs = 0;
  /** Method of the class; empty: "handle". */
  callMethod = "";
  shadow = false;
  websocket = false;
  /** Whether the caller's connection is one of TLS. */
  secure = false;
  readonly #buf: Buffer;
  readonly #start: number;
  readonly #end: number;
  #endpointAt = -1;
  #methodAt = -1;
  #targetAt = -1;
  #requestIdAt = -1;
  #anyVia = false;

  constructor(buf: Buffer, start: number, end: number) {
    this.#buf = buf;
    this.#start = start;
    this.#end = end;
    const reader = new WireReader(buf, start, end);
    while (reader.pos < end) {
      const tag = reader.varint();
      switch (tag) {
        case H_ENDPOINT:
          this.#endpointAt = reader.pos;
          reader.pos = reader.lengthEnd();
          break;
        case H_METHOD:
          this.#methodAt = reader.pos;
          reader.pos = reader.lengthEnd();
          break;
        case H_TARGET:
          this.#targetAt = reader.pos;
          reader.pos = reader.lengthEnd();
          break;
        case H_TIMEOUT:
          this.timeoutMs = reader.varint();
          break;
        case H_CALL_METHOD:
          this.callMethod = reader.string();
          break;
        case H_REQUEST_ID:
          this.#requestIdAt = reader.pos;
          reader.pos = reader.lengthEnd();
          break;
        case H_SHADOW:
          this.shadow = reader.varint() !== 0;
          break;
        case H_WEBSOCKET:
          this.websocket = reader.varint() !== 0;
          break;
        case H_SECURE:
          this.secure = reader.varint() !== 0;
          break;
        case H_VIA:
          this.#anyVia = true;
          reader.pos = reader.lengthEnd();
          break;
        default:
          reader.skip(tag & 7);
      }
    }
    if (reader.pos !== end) throw new WireError("a head is cut short");
  }

  #stringAt(at: number): string {
    return at < 0 ? "" : new WireReader(this.#buf, at, this.#end).string();
  }

  get endpoint(): string {
    return this.#stringAt(this.#endpointAt);
  }

  get method(): string {
    return this.#stringAt(this.#methodAt);
  }

  get target(): string {
    return this.#stringAt(this.#targetAt);
  }

  get requestId(): string {
    return this.#stringAt(this.#requestIdAt);
  }

  /** Names in lower case and values in turn. */
  get headers(): string[] {
    return this.#pairs(H_HEADERS);
  }

  /** Names and values in turn. */
  get params(): string[] {
    return this.#pairs(H_PARAMS);
  }

  /** Backends whose handlers made this request one from the other, outermost first. */
  get via(): readonly string[] {
    if (!this.#anyVia) return NO_PAIRS;
    const backends: string[] = [];
    const reader = new WireReader(this.#buf, this.#start, this.#end);
    while (reader.pos < this.#end) {
      const tag = reader.varint();
      if (tag === H_VIA) backends.push(reader.string());
      else reader.skip(tag & 7);
    }
    return backends;
  }

  #pairs(wanted: number): string[] {
    const pairs: string[] = [];
    const reader = new WireReader(this.#buf, this.#start, this.#end);
    while (reader.pos < this.#end) {
      const tag = reader.varint();
      if (tag === wanted) readPair(reader, pairs);
      else reader.skip(tag & 7);
    }
    return pairs;
  }
}

/** Reads one RequestHead message, as unary Handle carries it too. */
export function readRequestHead(buf: Buffer, start: number, end: number): RequestHeadView {
  return new RequestHeadView(buf, start, end);
}

/** What a replica does with the frames of a message. Heads and bodies are slices of the message. */
export interface RequestFrames {
  /** `part` is a WebSocketPart, and 0 in frames that are of no WebSocket. */
  frame(
    streamId: number,
    head: RequestHeadView | null,
    body: Buffer | null,
    end: boolean,
    cancel: CancelReason | null,
    credit: number,
    trailers: readonly string[],
    part: number,
  ): void;
  ping(number: number): void;
  /** `answer` is a RoomAnswer, and not 0. */
  roomAnswer(answer: number): void;
}

const messageReader = new WireReader(Buffer.alloc(0));

/** Reads a SessionRequest, frame by frame. Throws WireError where it is not one. */
export function readSessionRequest(message: Buffer, frames: RequestFrames): void {
  const reader = messageReader;
  let at = 0;
  while (at < message.length) {
    reader.reset(message, at, message.length);
    const tag = reader.varint();
    if (tag !== FRAMES) {
      if (tag === PING || tag === ROOM_ANSWER) {
        const value = reader.varint();
        if (value !== 0 && tag === PING) frames.ping(value);
        else if (value !== 0) frames.roomAnswer(value);
      } else reader.skip(tag & 7);
      at = reader.pos;
      continue;
    }
    const end = reader.lengthEnd();
    at = end;
    reader.end = end;
    let streamId = 0;
    let head: RequestHeadView | null = null;
    let body: Buffer | null = null;
    let ends = false;
    let cancel = false;
    let credit = 0;
    let trailers: string[] | null = null;
    let expired = false;
    let part = 0;
    while (reader.pos < end) {
      const field = reader.varint();
      switch (field) {
        case STREAM_ID:
          streamId = reader.varint();
          break;
        case HEAD: {
          const headEnd = reader.lengthEnd();
          head = new RequestHeadView(message, reader.pos, headEnd);
          reader.pos = headEnd;
          break;
        }
        case BODY:
          body = reader.bytes();
          break;
        case END:
          ends = reader.varint() !== 0;
          break;
        case CANCEL:
          cancel = reader.varint() !== 0;
          break;
        case CREDIT:
          credit = reader.varint();
          break;
        case TRAILERS:
          trailers ??= [];
          readPair(reader, trailers);
          break;
        case EXPIRED:
          expired = reader.varint() !== 0;
          break;
        case PART:
          part = reader.varint();
          break;
        default:
          reader.skip(field & 7);
      }
    }
    if (reader.pos !== end) throw new WireError("a frame is cut short");
    const reason = !cancel ? null : expired ? "deadline_exceeded" : "cancelled";
    frames.frame(streamId, head, body, ends, reason, credit, trailers ?? NO_PAIRS, part);
  }
}

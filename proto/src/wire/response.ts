// SessionResponse on the wire: how a replica writes response frames and a bridge reads them.
// Bytes are those of the generated code in proto/gen/headgate/v1/replica.ts; a test compares the two both ways.

import { type Fault, Fault as FaultMessage } from "../../gen/headgate/v1/fault.ts";
import { WireError, WireReader, readPair } from "./reader.ts";
import type { WireWriter } from "./writer.ts";

const FRAMES = 0x0a;
const DRAINING = 0x10;
const PONG = 0x18;
const ROOM = 0x20;
const STREAM_ID = 0x08;
const HEAD = 0x12;
const BODY = 0x1a;
const END = 0x20;
const FAULT = 0x2a;
const CREDIT = 0x30;
const TRAILERS = 0x3a;
const PART = 0x40;

const H_STATUS = 0x08;
const H_HEADERS = 0x12;
const H_FORM = 0x18;

const NO_HEADERS: readonly string[] = Object.freeze([]);

/** Header fields in their encoded form, so that those of the usual answers are encoded once. */
export type EncodedHeaders = Uint8Array & { readonly __encodedHeaders?: never };

/** Encodes header fields: names in lower case and values in turn. `form` is the ResultForm of the answers that have them. */
export function encodeHeaders(headers: readonly string[], form = 0): EncodedHeaders {
  const parts: Buffer[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = Buffer.from(headers[i] ?? "", "utf8");
    const value = Buffer.from(headers[i + 1] ?? "", "utf8");
    const pair = Buffer.concat([field(0x0a, name), field(0x12, value)]);
    parts.push(field(H_HEADERS, pair));
  }
  if (form !== 0) parts.push(Buffer.from([H_FORM, form]));
  return Buffer.concat(parts);
}

function field(tag: number, bytes: Buffer): Buffer {
  const prefix: number[] = [tag];
  let rest = bytes.length;
  while (rest > 0x7f) {
    prefix.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  prefix.push(rest);
  return Buffer.concat([Buffer.from(prefix), bytes]);
}

/**
 * Writes the frame that starts a response; with `end` it is the whole response. A string body is written as UTF-8. `apart`:
 * the body has so many bytes, of which nothing is written: the frame is the last of its message, and the caller sends them behind it.
 * Returns the number of bytes of the body.
 */
export function writeResponseOpen(
  writer: WireWriter,
  streamId: number,
  status: number,
  headers: EncodedHeaders,
  body: Uint8Array | string | null,
  end: boolean,
  apart = 0,
): number {
  writer.ensure(40);
  writer.buf[writer.pos++] = FRAMES;
  const frame = writer.open();
  writer.buf[writer.pos++] = STREAM_ID;
  writer.varint(streamId);
  writer.buf[writer.pos++] = HEAD;
  const mark = writer.open();
  writer.uint32(H_STATUS, status);
  writer.raw(headers);
  writer.close(mark);
  writer.bool(END, end);
  return closeWithBody(writer, frame, body, apart);
}

/** Writes a frame's last field, its body, and closes it. Returns the number of bytes of the body. */
function closeWithBody(writer: WireWriter, frame: number, body: Uint8Array | string | null, apart: number): number {
  if (apart > 0) {
    writer.bytesApart(BODY, apart);
    writer.close(frame, apart);
    return apart;
  }
  let bytes = 0;
  if (body !== null && body.length > 0) {
    if (typeof body === "string") bytes = writer.string(BODY, body);
    else {
      bytes = body.length;
      writer.bytes(BODY, body);
    }
  }
  writer.close(frame);
  return bytes;
}

/**
 * Writes a frame with a piece of a response's body, its end and the fields behind it, or credit for the request. Strings and
 * `apart` as above. Returns the number of bytes of the body.
 */
export function writeResponseRest(
  writer: WireWriter,
  streamId: number,
  body: Uint8Array | string | null,
  end: boolean,
  credit: number,
  trailers: readonly string[] = NO_HEADERS,
  apart = 0,
): number {
  writer.ensure(32);
  writer.buf[writer.pos++] = FRAMES;
  const frame = writer.open();
  writer.buf[writer.pos++] = STREAM_ID;
  writer.varint(streamId);
  writer.bool(END, end);
  writer.uint32(CREDIT, credit);
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    writer.ensure(5);
    writer.buf[writer.pos++] = TRAILERS;
    const mark = writer.open();
    writer.string(0x0a, trailers[i] ?? "");
    writer.string(0x12, trailers[i + 1] ?? "");
    writer.close(mark);
  }
  return closeWithBody(writer, frame, body, apart);
}

/**
 * Writes a frame with a WebSocket's message, a piece of one, or its close. `part` is one of WebSocketPart. A string is written as
 * UTF-8. Returns how many bytes the body has.
 */
export function writeResponsePart(
  writer: WireWriter,
  streamId: number,
  part: number,
  body: Uint8Array | string | null,
  end: boolean,
): number {
  writer.ensure(32);
  writer.buf[writer.pos++] = FRAMES;
  const frame = writer.open();
  writer.buf[writer.pos++] = STREAM_ID;
  writer.varint(streamId);
  let bytes = 0;
  if (typeof body === "string") {
    if (body !== "") bytes = writer.string(BODY, body);
  } else if (body !== null && body.length > 0) {
    bytes = body.length;
    writer.bytes(BODY, body);
  }
  writer.bool(END, end);
  writer.uint32(PART, part);
  writer.close(frame);
  return bytes;
}

/** Writes the frame that ends a request with a fault. */
export function writeResponseFault(writer: WireWriter, streamId: number, fault: Fault): void {
  writer.ensure(32);
  writer.buf[writer.pos++] = FRAMES;
  const frame = writer.open();
  writer.buf[writer.pos++] = STREAM_ID;
  writer.varint(streamId);
  writer.bytes(FAULT, FaultMessage.encode(fault).finish());
  writer.close(frame);
}

/** Writes that the replica takes no new requests. */
export function writeDraining(writer: WireWriter): void {
  writer.bool(DRAINING, true);
}

/** Writes the number of a ping. */
export function writePong(writer: WireWriter, number: number): void {
  writer.uint32(PONG, number);
}

/** Writes for how many requests places are kept. */
export function writeRoom(writer: WireWriter, places: number): void {
  writer.uint32(ROOM, places);
}

/** What a bridge does with the frames of a message. Bodies are slices of the message. */
export interface ResponseFrames {
  /**
   * `status` is 0 in frames after the first. `part` is a WebSocketPart, and 0 in frames that are of no WebSocket. `form` is a
   * ResultForm, and 0 in frames after the first.
   */
  frame(
    streamId: number,
    status: number,
    headers: readonly string[],
    body: Buffer | null,
    end: boolean,
    fault: Fault | null,
    credit: number,
    trailers: readonly string[],
    part: number,
    form: number,
  ): void;
  draining(): void;
  pong(number: number): void;
  room(places: number): void;
}

/** Remembers the last header block of a session: a handler's answers mostly carry the same few fields. */
export class HeaderMemo {
  #bytes: Buffer = Buffer.alloc(0);
  #headers: readonly string[] = NO_HEADERS;
  #form = 0;
  /** The ResultForm beside the fields that were read last. */
  form = 0;

  /** The fields encoded between two positions, which hold all of a ResponseHead but its status. */
  read(buf: Buffer, start: number, end: number): readonly string[] {
    this.form = 0;
    if (start === end) return NO_HEADERS;
    if (this.#bytes.length === end - start && this.#bytes.compare(buf, start, end) === 0) {
      this.form = this.#form;
      return this.#headers;
    }
    const headers: string[] = [];
    const reader = new WireReader(buf, start, end);
    while (reader.pos < end) {
      const tag = reader.varint();
      if (tag === H_HEADERS) readPair(reader, headers);
      else if (tag === H_FORM) this.form = reader.varint();
      else reader.skip(tag & 7);
    }
    if (end - start <= 1024) {
      this.#form = this.form;
      this.#bytes = Buffer.from(buf.subarray(start, end));
      this.#headers = headers;
    }
    return headers;
  }
}

const messageReader = new WireReader(Buffer.alloc(0));

/** Reads a SessionResponse, frame by frame. Throws WireError where it is not one. */
export function readSessionResponse(message: Buffer, frames: ResponseFrames, memo: HeaderMemo): void {
  const reader = messageReader;
  let at = 0;
  while (at < message.length) {
    reader.reset(message, at, message.length);
    const tag = reader.varint();
    if (tag !== FRAMES) {
      if (tag === DRAINING || tag === PONG || tag === ROOM) {
        const value = reader.varint();
        at = reader.pos;
        if (value !== 0) told(frames, tag, value);
      } else {
        reader.skip(tag & 7);
        at = reader.pos;
      }
      continue;
    }
    const end = reader.lengthEnd();
    at = end;
    reader.end = end;
    let streamId = 0;
    let status = 0;
    let headers: readonly string[] = NO_HEADERS;
    let body: Buffer | null = null;
    let ends = false;
    let fault: Fault | null = null;
    let credit = 0;
    let trailers: string[] | null = null;
    let part = 0;
    let form = 0;
    while (reader.pos < end) {
      const tagOfField = reader.varint();
      switch (tagOfField) {
        case STREAM_ID:
          streamId = reader.varint();
          break;
        case HEAD: {
          const headEnd = reader.lengthEnd();
          // The status comes first in what we and every protobuf library write; all that follows is fields.
          if (reader.pos < headEnd && message[reader.pos] === H_STATUS) {
            reader.pos++;
            status = reader.varint();
          }
          headers = memo.read(message, reader.pos, headEnd);
          form = memo.form;
          if (status === 0) status = statusBehind(message, reader.pos, headEnd);
          reader.pos = headEnd;
          break;
        }
        case BODY:
          body = reader.bytes();
          // An empty one may be written, and says as little as none. As a piece of an answer it would be its end over HTTP/1.1.
          if (body.length === 0) body = null;
          break;
        case END:
          ends = reader.varint() !== 0;
          break;
        case FAULT:
          fault = decodeFault(reader.bytes());
          break;
        case CREDIT:
          credit = reader.varint();
          break;
        case TRAILERS:
          trailers ??= [];
          readPair(reader, trailers);
          break;
        case PART:
          part = reader.varint();
          break;
        default:
          reader.skip(tagOfField & 7);
      }
    }
    if (reader.pos !== end) throw new WireError("a frame is cut short");
    frames.frame(streamId, status, headers, body, ends, fault, credit, trailers ?? NO_HEADERS, part, form);
  }
}

/** What a replica says beside its frames. */
function told(frames: ResponseFrames, tag: number, value: number): void {
  if (tag === DRAINING) frames.draining();
  else if (tag === PONG) frames.pong(value);
  else frames.room(value);
}

/** The status of a head whose fields come in another order. */
function statusBehind(buf: Buffer, start: number, end: number): number {
  const reader = new WireReader(buf, start, end);
  let status = 0;
  while (reader.pos < end) {
    const tag = reader.varint();
    if (tag === H_STATUS) status = reader.varint();
    else reader.skip(tag & 7);
  }
  return status === 0 ? 599 + 1 : status;
}

function decodeFault(bytes: Buffer): Fault {
  try {
    return FaultMessage.decode(bytes);
  } catch {
    throw new WireError("a fault cannot be decoded");
  }
}

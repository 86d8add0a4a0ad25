// What a handler returned, as an answer: the mapping of docs/handlers.md. Streams are handed on as iterators of bytes.
// Nothing is sent from here.

import { type EncodedHeaders, encodeHeaders } from "@headgate/proto/wire";
import { ResultForm } from "@headgate/proto/replica";
import { HeadgateError, LIMITS, RESPONSE_PIECES, type ResponsePieces, fault } from "@headgate/core";

/** An answer whose body is at hand. */
export interface WholeAnswer {
  readonly kind: "whole";
  readonly status: number;
  readonly headers: EncodedHeaders;
  readonly body: string | Uint8Array | null;
}

/** An answer whose body is still being made. */
export interface StreamAnswer {
  readonly kind: "stream";
  readonly status: number;
  /** Decided by the first piece where the handler did not say. */
  readonly headers: EncodedHeaders | null;
  readonly pieces: AsyncIterator<unknown> | Iterator<unknown>;
  /** Makes what is sent of a piece; null: pieceOf() alone does. */
  readonly encode: ((piece: unknown) => string) | null;
  /** Whether the head goes out before the first piece is there: browsers wait for it to call a stream of events open. */
  readonly headFirst: boolean;
}

export type Answer = WholeAnswer | StreamAnswer;

const TEXT = encodeHeaders(["content-type", "text/plain; charset=utf-8"]);
const BYTES = encodeHeaders(["content-type", "application/octet-stream"]);
const JSON_TYPE = encodeHeaders(["content-type", "application/json"]);
const ITEMS_OF_TEXT = encodeHeaders(["content-type", "text/plain; charset=utf-8"], ResultForm.ITEMS);
const ITEMS_OF_BYTES = encodeHeaders(["content-type", "application/octet-stream"], ResultForm.ITEMS);
const ITEMS_OF_JSON = encodeHeaders(["content-type", "application/x-ndjson"], ResultForm.ITEMS);
const NO_ITEMS = encodeHeaders([], ResultForm.ITEMS);
const NONE = encodeHeaders([]);
const EMPTY: WholeAnswer = { kind: "whole", status: 200, headers: NONE, body: null };

const whole = (headers: EncodedHeaders, body: string | Uint8Array): WholeAnswer => ({ kind: "whole", status: 200, headers, body });

const stream = (headers: EncodedHeaders | null, pieces: StreamAnswer["pieces"], status = 200): StreamAnswer => ({
  kind: "stream",
  status,
  headers,
  pieces,
  encode: null,
  headFirst: false,
});

/** The answer that a result stands for. Throws handler_result_invalid where there is none. */
export function answerOf(result: unknown): Answer {
  if (typeof result === "string") return whole(TEXT, result);
  if (result === undefined || result === null) return EMPTY;
  if (typeof result !== "object") return whole(JSON_TYPE, toJson(result));
  const prototype: unknown = Object.getPrototypeOf(result);
  // The usual case first: a plain object or list has none of the forms that are looked for below.
  if (Array.isArray(result) || (prototype === Object.prototype && !(Symbol.asyncIterator in result)))
    return whole(JSON_TYPE, toJson(result));
  if (result instanceof Uint8Array) return whole(BYTES, result);
  if (result instanceof Response) return ofResponse(result);
  if (result instanceof ArrayBuffer) return whole(BYTES, new Uint8Array(result));
  if (ArrayBuffer.isView(result)) return whole(BYTES, new Uint8Array(result.buffer, result.byteOffset, result.byteLength));
  if (result instanceof Blob) {
    const headers = result.type === "" ? BYTES : encodeFields(["content-type", result.type]);
    return stream(headers, piecesOf(result.stream()));
  }
  if (result instanceof ReadableStream) {
    if (result.locked) throw invalid("a ReadableStream that is being read already");
    return stream(null, piecesOf(result));
  }
  if (Symbol.asyncIterator in result) {
    // Checked to be there; what it gives is looked at piece by piece.
    const pieces: unknown = (result as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    if (!isIterator(pieces)) throw invalid("an async iterable without an iterator");
    return stream(null, pieces);
  }
  if (isGenerator(result)) return stream(null, result);
  return whole(JSON_TYPE, toJson(result));
}

/** A handler's own fields as they are sent. Throws handler_result_invalid where they are more than a bridge takes. */
export function encodeFields(fields: readonly string[], form = 0): EncodedHeaders {
  let bytes = 0;
  for (const text of fields) bytes += text.length;
  const limit = fields.length > 2 * LIMITS.headerFields ? "headerFields" : bytes > LIMITS.headerBytes ? "headerBytes" : null;
  if (limit === null) return encodeHeaders(fields, form);
  const message = `the handler's answer has ${fields.length / 2} header fields of ${bytes} bytes, over ${limit}, ${LIMITS[limit]}`;
  throw new HeadgateError(fault("handler_result_invalid", message, { limit }));
}

function ofResponse(response: Response): Answer {
  const fields: string[] = [];
  for (const [name, value] of response.headers) fields.push(name, value);
  const headers = encodeFields(fields, ResultForm.RESPONSE);
  if (response.status < 200 || response.status > 599) throw invalid("a Response whose status is not 200 to 599");
  if (response.body === null) return { kind: "whole", status: response.status, headers, body: null };
  if (response.bodyUsed || response.body.locked) throw invalid("a Response whose body was read already");
  const made: unknown = Reflect.get(response, RESPONSE_PIECES);
  const headFirst = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (isResponsePieces(made)) {
    return { kind: "stream", status: response.status, headers, pieces: made.iterator, encode: made.encode, headFirst };
  }
  return { ...stream(headers, piecesOf(response.body), response.status), headFirst };
}

/** Reads a stream by its reader: a cancel reaches its source at once, where an iterator's return() waits for the piece under way. */
function piecesOf(body: ReadableStream<unknown>): AsyncIterator<unknown, unknown> {
  const reader = body.getReader();
  return {
    next: () => reader.read(),
    return: () => reader.cancel().then(() => ({ done: true, value: undefined })),
  };
}

function isResponsePieces(value: unknown): value is ResponsePieces {
  return typeof value === "object" && value !== null && "iterator" in value && "encode" in value;
}

function isGenerator(value: object): value is Iterator<unknown> & object {
  return Symbol.iterator in value && isIterator(value);
}

function isIterator(value: unknown): value is Iterator<unknown> | AsyncIterator<unknown> {
  return typeof value === "object" && value !== null && "next" in value && typeof value.next === "function";
}

function toJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw invalid(`a value that has no JSON form (${error instanceof Error ? error.message : String(error)})`, error);
  }
  if (text === undefined) throw invalid(`a ${typeof value}, which has no JSON form`);
  return text;
}

function invalid(what: string, cause?: unknown): HeadgateError {
  return new HeadgateError(fault("handler_result_invalid", `the handler returned ${what}`), { cause });
}

/** What is sent of a piece of a stream: text or bytes as they are, of anything else a line of JSON. */
export function pieceOf(piece: unknown): string | Uint8Array {
  if (typeof piece === "string" || piece instanceof Uint8Array) return piece;
  if (piece instanceof ArrayBuffer) return new Uint8Array(piece);
  return `${toJson(piece)}\n`;
}

/** The fields that the first piece of a stream decides. */
export function fieldsOfPiece(piece: unknown): EncodedHeaders {
  if (typeof piece === "string") return ITEMS_OF_TEXT;
  return piece instanceof Uint8Array || piece instanceof ArrayBuffer ? ITEMS_OF_BYTES : ITEMS_OF_JSON;
}

/** The fields of a stream that ended without a piece. */
export const NO_FIELDS = NO_ITEMS;

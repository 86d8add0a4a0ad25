// What a handler returned, as an answer: the mapping of docs/handlers.md. Streams are handed on as iterators of bytes.
// Nothing is sent from here.

import { type EncodedHeaders, encodeHeaders } from "@headgate/proto/wire";
import { HeadgateError, fault } from "@headgate/core";

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
}

export type Answer = WholeAnswer | StreamAnswer;

const TEXT = encodeHeaders(["content-type", "text/plain; charset=utf-8"]);
const BYTES = encodeHeaders(["content-type", "application/octet-stream"]);
const JSON_TYPE = encodeHeaders(["content-type", "application/json"]);
const NDJSON = encodeHeaders(["content-type", "application/x-ndjson"]);
const NONE = encodeHeaders([]);
const EMPTY: WholeAnswer = { kind: "whole", status: 200, headers: NONE, body: null };

const whole = (headers: EncodedHeaders, body: string | Uint8Array): WholeAnswer => ({ kind: "whole", status: 200, headers, body });

/** The answer that a result stands for. Throws handler_result_invalid where there is none. */
export function answerOf(result: unknown): Answer {
  if (typeof result === "string") return whole(TEXT, result);
  if (result === undefined || result === null) return EMPTY;
  if (typeof result !== "object") return whole(JSON_TYPE, toJson(result));
  const prototype: unknown = Object.getPrototypeOf(result);
  // The usual case first: a plain object or list has none of the forms that are looked for below.
  if (prototype === Object.prototype || Array.isArray(result)) return whole(JSON_TYPE, toJson(result));
  if (result instanceof Uint8Array) return whole(BYTES, result);
  if (result instanceof Response) return ofResponse(result);
  if (result instanceof ArrayBuffer) return whole(BYTES, new Uint8Array(result));
  if (ArrayBuffer.isView(result)) return whole(BYTES, new Uint8Array(result.buffer, result.byteOffset, result.byteLength));
  if (result instanceof Blob) {
    const headers = result.type === "" ? BYTES : encodeHeaders(["content-type", result.type]);
    return { kind: "stream", status: 200, headers, pieces: result.stream()[Symbol.asyncIterator]() };
  }
  if (Symbol.asyncIterator in result) {
    // Checked to be there; what it gives is looked at piece by piece.
    return { kind: "stream", status: 200, headers: null, pieces: (result as AsyncIterable<unknown>)[Symbol.asyncIterator]() };
  }
  if (isGenerator(result)) return { kind: "stream", status: 200, headers: null, pieces: result };
  return whole(JSON_TYPE, toJson(result));
}

function ofResponse(response: Response): Answer {
  const fields: string[] = [];
  for (const [name, value] of response.headers) fields.push(name, value);
  const headers = encodeHeaders(fields);
  if (response.status < 200 || response.status > 599) throw invalid("a Response whose status is not 200 to 599");
  if (response.body === null) return { kind: "whole", status: response.status, headers, body: null };
  if (response.bodyUsed || response.body.locked) throw invalid("a Response whose body was read already");
  return { kind: "stream", status: response.status, headers, pieces: response.body[Symbol.asyncIterator]() };
}

function isGenerator(value: object): value is Iterator<unknown> & object {
  return Symbol.iterator in value && "next" in value && typeof value.next === "function";
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

/** A piece of a stream as bytes, and the fields that a first piece of its kind decides. */
export function pieceOf(piece: unknown): { readonly bytes: Uint8Array; readonly headers: EncodedHeaders } {
  if (typeof piece === "string") return { bytes: Buffer.from(piece, "utf8"), headers: TEXT };
  if (piece instanceof Uint8Array) return { bytes: piece, headers: BYTES };
  if (piece instanceof ArrayBuffer) return { bytes: new Uint8Array(piece), headers: BYTES };
  return { bytes: Buffer.from(`${toJson(piece)}\n`, "utf8"), headers: NDJSON };
}

/** The fields of a stream that ended without a piece. */
export const NO_FIELDS = NONE;

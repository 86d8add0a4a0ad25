// The body of a program's request: whole where it is at hand, else pieces of a stream, asked for one by one as the replica takes them.
// What the pieces are is decided by the first one, as it is for a handler's stream.

import { HeadgateError, LIMITS, fault } from "@headgate/core";

/** A body that is at hand; null: there is none. */
export interface WholeBody {
  readonly kind: "whole";
  readonly bytes: Buffer | null;
  /** Content type; empty: none. */
  readonly type: string;
}

/** A body that comes. */
export interface StreamedBody {
  readonly kind: "stream";
  readonly pieces: AsyncIterator<unknown> | Iterator<unknown>;
}

const TEXT = "text/plain; charset=utf-8";
const BYTES = "application/octet-stream";
const NOTHING: WholeBody = { kind: "whole", bytes: null, type: "" };

/** What a program gave as a body. Throws invalid_argument where it cannot be sent. */
export function bodyOf(body: unknown): WholeBody | StreamedBody {
  if (body === undefined) return NOTHING;
  if (typeof body === "string") return { kind: "whole", bytes: Buffer.from(body, "utf8"), type: TEXT };
  const bytes = bytesOf(body);
  if (bytes !== null) return { kind: "whole", bytes, type: BYTES };
  if (body instanceof ReadableStream) return { kind: "stream", pieces: readerOf(body) };
  if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) {
    // Checked to be there; what it gives is looked at piece by piece.
    return { kind: "stream", pieces: (body as AsyncIterable<unknown>)[Symbol.asyncIterator]() };
  }
  return { kind: "whole", bytes: Buffer.from(json(body), "utf8"), type: "application/json" };
}

/** What is sent of a piece: text and bytes as they are, of anything else a line of JSON. */
export function pieceOf(piece: unknown): Buffer {
  if (typeof piece === "string") return Buffer.from(piece, "utf8");
  const bytes = bytesOf(piece);
  // A copy: it may be sent a second time, when the source has made something else of its buffer.
  return bytes !== null ? Buffer.from(bytes) : Buffer.from(`${json(piece)}\n`, "utf8");
}

/** The content type that the first piece of a stream stands for. */
export function typeOfPiece(piece: unknown): string {
  if (typeof piece === "string") return TEXT;
  return bytesOf(piece) === null ? "application/x-ndjson" : BYTES;
}

function bytesOf(value: unknown): Buffer | null {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : null;
}

/** A cancel of the reader reaches the stream's source at once, where an iterator's return() waits for the piece under way. */
function readerOf(stream: ReadableStream<unknown>): AsyncIterator<unknown> {
  const reader = stream.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done, value };
    },
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

function json(value: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (text === undefined) throw new HeadgateError(fault("invalid_argument", "the body cannot be sent: it has no JSON form"), { cause });
  return text;
}

/** Where the pieces go. */
export interface BodyOut {
  /** Takes the next piece; null with the end. */
  give(piece: Buffer | null, end: boolean): void;
  /** The source threw. */
  broken(error: unknown): void;
}

/** A streamed body on its way. */
export class BodyPump {
  readonly #pieces: StreamedBody["pieces"];
  readonly #mostBytes: number;
  readonly #out: BodyOut;
  #free = false;
  #over = false;
  #wake: (() => void) | null = null;

  /** `mostBytes`: the endpoint's maxBodyBytes. */
  constructor(pieces: StreamedBody["pieces"], mostBytes: number, out: BodyOut) {
    this.#pieces = pieces;
    this.#mostBytes = mostBytes;
    this.#out = out;
  }

  /** All that was given is sent. */
  writable(): void {
    this.#free = true;
    this.#wake?.();
  }

  /** Nothing more is wanted: the source is told at once. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#wake?.();
    giveUp(this.#pieces);
  }

  /** Sends the body, the first piece of which was taken already. Never rejects. */
  async run(first: IteratorResult<unknown>): Promise<void> {
    let bytes = 0;
    try {
      for (let one = first; one.done !== true; one = await this.#pieces.next()) {
        const piece = pieceOf(one.value);
        bytes += piece.length;
        if (bytes > this.#mostBytes) throw bodyTooLarge(this.#mostBytes);
        await this.#give(piece);
        if (this.#over) return;
      }
      if (this.#over) return;
      this.#over = true;
      this.#out.give(null, true);
    } catch (error) {
      if (this.#over) return;
      this.stop();
      this.#out.broken(error);
    }
  }

  /** Resolves when the replica has taken it, or nothing more is wanted. */
  async #give(piece: Buffer): Promise<void> {
    if (piece.length === 0 || this.#over) return;
    this.#free = false;
    this.#out.give(piece, false);
    while (!this.#free && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}

/** Tells a body's source that nothing more is wanted. What it says to that, or throws, is of no interest. */
export function giveUp(pieces: StreamedBody["pieces"]): void {
  void new Promise((resolve) => resolve(pieces.return?.())).catch(() => undefined);
}

/** The refusal of a body over an endpoint's limit. */
export function bodyTooLarge(limitBytes: number): HeadgateError {
  return new HeadgateError(fault("body_too_large", `the request's body is larger than ${limitBytes} bytes`, { limit: "maxBodyBytes" }));
}

/** A whole body as the pieces that a call takes. */
export function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += LIMITS.bodyChunkBytes) chunks.push(bytes.subarray(at, at + LIMITS.bodyChunkBytes));
  return chunks;
}

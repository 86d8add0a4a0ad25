// Reads HTTP/1.1 answers of one connection as they come, in whatever pieces: status, how many bytes the body has, where it
// ends. Bodies are passed over, not kept, but for the first few bytes; what is not an answer as our servers give is wrong.
import { err, ok, type Result } from "@headgate/core";

/** Largest head that is taken. */
const HEAD_BYTES = 16_384;
/** How much of a body is kept. */
const KEPT_BYTES = 64;

/** One answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
  /** The beginning of the body. */
  readonly begin: string;
}

type State =
  /** A line that is being gathered: the head's, a chunk's size, or what stands behind the last chunk. */
  | { readonly kind: "head" | "size" | "trailers"; readonly text: string }
  /** Bytes of the body that are still to come; then the answer ends, or its next chunk does. */
  | { readonly kind: "body"; readonly left: number; readonly chunked: boolean };

const START: State = { kind: "head", text: "" };

/** Reads one answer after the other. */
export class AnswerReader {
  #state: State = START;
  #status = 0;
  #bodyBytes = 0;
  #begin = "";

  /** Takes the next bytes. Gives the answer that ends with them; null: more is to come. What stands behind it is wrong. */
  take(bytes: Buffer): Result<Answer | null, string> {
    let at = 0;
    while (at < bytes.length) {
      const state = this.#state;
      if (state.kind === "body") {
        const size = Math.min(state.left, bytes.length - at);
        if (this.#begin.length < KEPT_BYTES)
          this.#begin += bytes.toString("latin1", at, Math.min(at + size, at + KEPT_BYTES - this.#begin.length));
        this.#bodyBytes += size;
        at += size;
        const left = state.left - size;
        if (left > 0) this.#state = { ...state, left };
        else if (state.chunked) this.#state = { kind: "size", text: "\r\n" };
        else return this.#end(at, bytes.length);
        continue;
      }
      // Lines are short and come once a chunk: gathering them as text is cheap enough.
      const stop = bytes.indexOf(10, at);
      const text = state.text + bytes.toString("latin1", at, stop < 0 ? bytes.length : stop + 1);
      if (text.length > HEAD_BYTES) return err("the head of an answer has no end");
      at = stop < 0 ? bytes.length : stop + 1;
      const next = stop < 0 ? ok<State | null>({ ...state, text }) : this.#line(state.kind, text);
      if (!next.ok) return next;
      if (next.value === null) return this.#end(at, bytes.length);
      this.#state = next.value;
    }
    return ok(null);
  }

  /** What follows a line; null: the answer ends with it. */
  #line(kind: "head" | "size" | "trailers", text: string): Result<State | null, string> {
    switch (kind) {
      case "head":
        return text.endsWith("\r\n\r\n") ? this.#body(text) : ok({ kind, text });
      case "trailers":
        return ok(text === "\r\n" ? null : { kind, text: "" });
      case "size": {
        // The line end behind a chunk's bytes stands before the next one's size, as the reader begins there.
        const size = /^\r\n([0-9a-f]+)\r\n$/i.exec(text)?.[1];
        if (size === undefined) return text === "\r\n\r\n" ? ok({ kind, text: "\r\n" }) : err(`not the size of a chunk: ${text}`);
        const left = Number.parseInt(size, 16);
        return ok(left === 0 ? { kind: "trailers", text: "" } : { kind: "body", left, chunked: true });
      }
      default:
        return kind satisfies never;
    }
  }

  #body(head: string): Result<State | null, string> {
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1];
    if (status === undefined) return err(`not an answer: ${head.slice(0, 40)}`);
    this.#status = Number(status);
    if (/^transfer-encoding: chunked\r$/im.test(head)) return ok({ kind: "size", text: "\r\n" });
    const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
    if (length === undefined) return err("an answer with neither a length nor chunks");
    return ok(Number(length) === 0 ? null : { kind: "body", left: Number(length), chunked: false });
  }

  #end(at: number, length: number): Result<Answer, string> {
    const answer = { status: this.#status, bodyBytes: this.#bodyBytes, begin: this.#begin };
    this.#state = START;
    this.#bodyBytes = 0;
    this.#begin = "";
    return at === length ? ok(answer) : err("bytes behind the end of an answer");
  }
}

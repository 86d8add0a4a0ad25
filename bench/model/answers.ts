// Answers of HTTP/1.1 out of a stream of bytes, as far as a load generator needs them: status and end. Pure of any socket.
// Knows bodies with a Content-Length alone, which is what the measured handlers and every refusal have.

/** Reads one answer after another. */
export class AnswerReader {
  #head = "";
  #left = 0;
  #status = 0;

  /** Takes a chunk; returns the status of the answer that ends with it, and 0 where none does. */
  take(chunk: Buffer): number {
    let bytes = chunk;
    if (this.#status === 0) {
      this.#head += bytes.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) return 0;
      const head = this.#head.slice(0, end).toLowerCase();
      this.#status = Number(head.slice(9, 12));
      const at = head.indexOf("\r\ncontent-length:");
      this.#left = at < 0 ? 0 : Number.parseInt(head.slice(at + 17), 10);
      bytes = Buffer.from(this.#head.slice(end + 4), "latin1");
      this.#head = "";
    }
    this.#left -= bytes.length;
    if (this.#left > 0) return 0;
    const status = this.#status;
    this.#status = 0;
    return status;
  }
}

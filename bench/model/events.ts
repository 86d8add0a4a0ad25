// Counts events in a chunked HTTP/1.1 answer as it comes, byte by byte, however it is cut, without taking it apart: two line
// feeds in a row end an event, two line ends in a row the head, and then the whole. A generator can bear no more per piece.

const CR = 13;
const LF = 10;
const START = Buffer.from("HTTP/1.1 200");

/** One answer that is being read. */
export class EventCounter {
  /** Events so far. */
  events = 0;
  /** Whether all of it has come. */
  ended = false;
  /** Whether it began with anything but status 200. */
  wrong = false;
  #begun = 0;
  #last = 0;
  /** How much of "\r\n\r\n" stands right before here. */
  #lineEnds = 0;
  #inBody = false;

  /** Takes the next bytes, of which nothing is kept. */
  take(bytes: Uint8Array): void {
    for (let at = 0; this.#begun < START.length && at < bytes.length; at++) {
      if (bytes[at] !== START[this.#begun++]) this.wrong = true;
    }
    for (const byte of bytes) this.#step(byte);
  }

  #step(byte: number): void {
    if (byte === CR) this.#lineEnds = this.#lineEnds === 2 ? 3 : 1;
    else if (byte !== LF) this.#lineEnds = 0;
    else if (this.#lineEnds === 1) this.#lineEnds = 2;
    else if (this.#lineEnds === 3) {
      this.#lineEnds = 0;
      this.ended = this.#inBody;
      this.#inBody = true;
    } else if (this.#last === LF) {
      this.events++;
      byte = 0;
    }
    this.#last = byte;
  }
}

// The pieces of an answer between its call and its connection: whose memory is in use until when, what waits, and what credit is given.
import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import { Call, Router } from "@headgate/client/data-plane";
import { Exchange } from "./exchange.ts";
import type { PieceState, Responder } from "./responder.ts";

/** A connection that does with pieces what it is told to, and notes them. */
class Connection implements Responder {
  readonly incoming = new PassThrough();
  readonly secure = false;
  readonly hidesEnd = true;
  readonly received = true;
  readonly behindBody = [];
  begun = false;
  full = false;
  /** What becomes of the next piece. */
  next: PieceState = "taken";
  /** Whether the system takes what was gathered. */
  takes = true;
  readonly sent: string[] = [];
  #gathered = false;
  #drained: (() => void) | null = null;

  goOn(): void {}
  whole(): boolean {
    return true;
  }
  start(): void {
    this.begun = true;
  }
  write(piece: Buffer): PieceState {
    this.sent.push(piece.toString());
    if (this.next === "gathered") this.#gathered = true;
    return this.next;
  }
  flush(): boolean {
    const flushed = this.#gathered;
    this.#gathered = false;
    return !flushed || this.takes;
  }
  end(piece: Buffer | null): boolean {
    const state = piece === null ? "taken" : this.write(piece);
    this.sent.push("(end)");
    return state !== "gathered";
  }
  onDrain(listener: () => void): void {
    this.#drained = listener;
  }
  drain(): void {
    const listener = this.#drained;
    this.#drained = null;
    listener?.();
  }
  trailers(): void {}
  cutOff(): void {}
  distrust(): void {}
}

/** An answer that has begun. `credit` is what was given until now. */
function answer(): { readonly to: Connection; readonly exchange: Exchange; readonly credit: () => number } {
  let credit = 0;
  const router = new (class extends Router {
    override consumed(_: Call, bytes: number): void {
      credit += bytes;
    }
  })();
  const to = new Connection();
  const exchange = new Exchange(to, "GET", "id", router);
  exchange.call = new Call("e", "GET", "/", [], "id", 0, exchange);
  exchange.head(200, [], null, false);
  return { to, exchange, credit: () => credit };
}

const piece = (text: string): Buffer => Buffer.from(text);
const NONE: readonly string[] = [];

test("a gathered piece is in use until it is asked for, also where the end comes right behind it", () => {
  for (const last of [null, "last"]) {
    const { to, exchange } = answer();
    to.next = "gathered";
    to.takes = false;
    expect(exchange.body(piece("first"), false, NONE)).toBe(false);
    exchange.body(last === null ? null : piece(last), true, NONE);
    expect(exchange.release()).toBe(false);
    expect(to.sent).toEqual(["first", ...(last === null ? [] : [last]), "(end)"]);
  }
});

test("what comes while the connection is full waits in memory of its own, leaves as one piece, and is credited when it is taken", () => {
  const { to, exchange, credit } = answer();
  to.next = "queued";
  const memory = piece("abc");
  expect(exchange.body(memory, false, NONE)).toBe(true);
  for (const text of ["def", "ghi"]) {
    memory.write(text);
    expect(exchange.body(memory, false, NONE)).toBe(true);
  }
  memory.write("???");
  expect([to.sent, credit()]).toEqual([["abc"], 0]);
  to.drain();
  expect([to.sent, credit()]).toEqual([["abc", "defghi"], 3]);
  exchange.body(piece("jkl"), false, NONE);
  to.next = "taken";
  to.drain();
  expect([to.sent, credit()]).toEqual([["abc", "defghi", "jkl"], 12]);
  exchange.body(piece("mno"), false, NONE);
  expect([to.sent.at(-1), credit()]).toEqual(["mno", 15]);
});

test("what waits leaves before the end", () => {
  const { to, exchange } = answer();
  to.next = "queued";
  for (const text of ["a", "b", "c"]) exchange.body(piece(text), false, NONE);
  exchange.body(piece("d"), true, NONE);
  expect(to.sent).toEqual(["a", "bc", "d", "(end)"]);
  to.drain();
  expect(to.sent).toHaveLength(4);
});

test("credit for what was gathered waits where the connection is full behind it", () => {
  const { to, exchange, credit } = answer();
  to.next = "gathered";
  exchange.body(piece("abc"), false, NONE);
  exchange.body(piece("de"), false, NONE);
  to.full = true;
  exchange.release();
  exchange.body(piece("f"), false, NONE);
  expect([to.sent, credit()]).toEqual([["abc", "de"], 0]);
  to.full = false;
  to.next = "taken";
  to.drain();
  expect([to.sent, credit()]).toEqual([["abc", "de", "f"], 6]);
});

// Streamed answers: what leaves in which frame, how far an iterator is asked ahead, and how it ends.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import { AnswerStream, type StreamOut } from "./answer-stream.ts";
import { answerOf } from "./result.ts";

interface Frame {
  readonly start: boolean;
  readonly body: string;
  readonly end: boolean;
}

/** The session's side: notes each frame, and flushes at the end of a turn as a session does. */
class Out implements StreamOut {
  readonly frames: Frame[] = [];
  bytes = Buffer.alloc(0);
  credit: number;

  constructor(credit: number = LIMITS.streamWindowBytes) {
    this.credit = credit;
  }

  gather(stream: AnswerStream): void {
    setImmediate(() => stream.flush());
  }

  start(_status: number, _headers: Uint8Array, body: string | Uint8Array | null, end: boolean): void {
    this.#note(true, body, end);
  }

  more(body: string | Uint8Array | null, end: boolean): void {
    this.#note(false, body, end);
  }

  get text(): string {
    return this.frames.map(({ body }) => body).join("");
  }

  #note(start: boolean, body: string | Uint8Array | null, end: boolean): void {
    const bytes = Buffer.from(body ?? "");
    this.credit -= bytes.length;
    this.bytes = Buffer.concat([this.bytes, bytes]);
    expect(this.credit).toBeGreaterThanOrEqual(0);
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.bodyChunkBytes);
    this.frames.push({ start, body: bytes.toString(), end });
  }
}

/** Runs a handler's result as a stream. */
function run(result: unknown, out: Out): { readonly stream: AnswerStream; readonly done: Promise<void> } {
  const answer = answerOf(result);
  if (answer.kind !== "stream") throw new Error("is whole");
  const stream = new AnswerStream(answer, out);
  return { stream, done: stream.run() };
}

async function until(what: () => boolean): Promise<void> {
  for (let turn = 0; !what(); turn++) {
    if (turn > 10_000) throw new Error("waited in vain");
    await nextTurn();
  }
}

test("pieces that come within one turn leave in one frame, and what ends in it is a whole answer", async () => {
  const out = new Out();
  await run(
    (async function* () {
      for (const token of ["a", "b", "ü", "d"]) {
        await Promise.resolve();
        yield token;
      }
    })(),
    out,
  ).done;
  expect(out.frames).toEqual([{ start: true, body: "abüd", end: true }]);
});

test("the first piece leaves with its turn, and never waits for the second", async () => {
  const out = new Out();
  const second = Promise.withResolvers<void>();
  const { done } = run(
    (async function* () {
      yield "first";
      await second.promise;
      yield "second";
    })(),
    out,
  );
  await nextTurn();
  await nextTurn();
  expect(out.frames).toEqual([{ start: true, body: "first", end: false }]);
  second.resolve();
  await done;
  expect(out.frames.slice(1)).toEqual([{ start: false, body: "second", end: true }]);
});

test("text, bytes and other values in one stream keep their order", async () => {
  const out = new Out();
  await run(
    (function* () {
      yield "a";
      yield "";
      yield new Uint8Array([98]);
      yield new Uint8Array(0);
      yield "ü";
      yield { c: 1 };
    })(),
    out,
  ).done;
  expect(out.text).toBe('abü{"c":1}\n');
});

test("an iterator is asked for at most one piece more than the credit takes", async () => {
  const out = new Out(25);
  let asked = 0;
  const { stream } = run(
    (function* () {
      for (;;) {
        asked++;
        yield "0123456789";
      }
    })(),
    out,
  );
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  expect({ asked, sent: out.text.length }).toEqual({ asked: 3, sent: 25 });
  out.credit += 10;
  stream.wake();
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  expect({ asked, sent: out.text.length }).toEqual({ asked: 4, sent: 35 });
  stream.cancel();
});

test("a large piece is cut to frames, and is sent as far as the credit goes", async () => {
  const out = new Out(100_000);
  const large = Buffer.alloc(200_000, "x");
  const { stream, done } = run([large].values(), out);
  await until(() => out.credit === 0);
  expect(out.frames.map(({ body }) => body.length)).toEqual([65_536, 34_464]);
  out.credit += 500_000;
  stream.wake();
  await done;
  expect(out.text).toBe(large.toString());
  expect(out.frames.at(-1)?.end).toBe(true);
});

test("long text of many bytes a character arrives whole", async () => {
  const out = new Out(10_000_000);
  const long = "€ü𝄞x".repeat(20_000);
  const short = "é".repeat(30_000);
  await run([long, short, long].values(), out).done;
  expect(out.bytes.toString()).toBe(long + short + long);
});

test("a generator that never waits does not keep the event loop", async () => {
  const out = new Out();
  let turns = 0;
  let pieces = 0;
  const { stream, done } = run(
    (async function* () {
      for (; pieces < 5_000; pieces++) yield "";
    })(),
    out,
  );
  const count = (): void => {
    turns++;
    if (pieces < 5_000) setImmediate(count);
  };
  count();
  await done;
  expect(turns).toBeGreaterThan(10);
  expect(out.frames).toEqual([{ start: true, body: "", end: true }]);
  stream.cancel();
});

test("an error before anything was sent sends nothing; one later comes after what was there before it", async () => {
  const early = new Out();
  const failing = (async function* () {
    yield "begun";
    throw new Error("no");
  })();
  await expect(run(failing, early).done).rejects.toThrow("no");
  expect(early.frames).toEqual([]);
  const late = new Out();
  await expect(
    run(
      (async function* () {
        yield "begun";
        await nextTurn();
        await nextTurn();
        yield "more";
        throw new Error("no");
      })(),
      late,
    ).done,
  ).rejects.toThrow("no");
  expect(late.frames).toEqual([
    { start: true, body: "begun", end: false },
    { start: false, body: "more", end: false },
  ]);
});

test("a piece that cannot be sent ends the answer and the iterator", async () => {
  let ended = false;
  const { done } = run(
    (async function* () {
      try {
        yield 1n;
      } finally {
        ended = true;
      }
    })(),
    new Out(),
  );
  await expect(done).rejects.toMatchObject({ code: "handler_result_invalid" });
  await until(() => ended);
});

test("a cancel ends an iterator that is between two pieces, and the answer is over when it has ended", async () => {
  const out = new Out(5);
  let cleaned = false;
  const { stream, done } = run(
    (async function* () {
      try {
        for (;;) yield "0123456789";
      } finally {
        await nextTurn();
        cleaned = true;
      }
    })(),
    out,
  );
  await until(() => out.credit === 0);
  stream.cancel();
  await done;
  expect(cleaned).toBe(true);
});

test("a cancel while a generator waits is over when it goes on, and nothing more of it is sent", async () => {
  const out = new Out();
  const gate = Promise.withResolvers<void>();
  let over = false;
  const { stream, done } = run(
    (async function* () {
      yield "a";
      await gate.promise;
      yield "b";
    })(),
    out,
  );
  const ended = done.then(() => {
    over = true;
  });
  await until(() => out.text === "a");
  stream.cancel();
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  expect(over).toBe(false);
  gate.resolve();
  await ended;
  expect(out.text).toBe("a");
});

test("a cancel reaches the source of a ReadableStream at once, though a piece is under way", async () => {
  const out = new Out();
  const reasons: unknown[] = [];
  const { stream, done } = run(
    new ReadableStream({
      pull: () => new Promise(() => undefined),
      cancel: (reason) => {
        reasons.push(reason);
      },
    }),
    out,
  );
  await nextTurn();
  stream.cancel();
  await done;
  expect(reasons).toHaveLength(1);
});

test("an iterator without return() is over when its piece under way has come", async () => {
  const piece = Promise.withResolvers<IteratorResult<string>>();
  const { stream, done } = run({ [Symbol.asyncIterator]: () => ({ next: () => piece.promise }) }, new Out());
  await nextTurn();
  stream.cancel();
  piece.resolve({ done: false, value: "late" });
  await done;
});

test("the head of a stream of events goes out before the first event", async () => {
  const out = new Out();
  const { stream } = run(
    new Response(new ReadableStream({ pull: () => new Promise(() => undefined) }), { headers: { "content-type": "text/event-stream" } }),
    out,
  );
  await until(() => out.frames.length > 0);
  expect(out.frames).toEqual([{ start: true, body: "", end: false }]);
  stream.cancel();
});

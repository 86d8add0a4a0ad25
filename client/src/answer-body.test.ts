// An answer's body as a program reads it: credit by what was taken, and an end for every reader.
import { expect, test } from "@jest/globals";
import { HeadgateError, fault } from "@headgate/core";
import fc from "fast-check";
import { AnswerBody } from "./answer-body.ts";
import { itemsOf } from "./items.ts";

function makeBody() {
  const seen = { consumed: 0, cancelled: 0 };
  const body = new AnswerBody({
    consumed: (bytes) => {
      seen.consumed += bytes;
    },
    cancelled: () => {
      seen.cancelled++;
    },
  });
  return { body, seen };
}
const bytes = (text: string): Buffer => Buffer.from(text, "utf8");
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("the sender gets credit for what the reader takes, piece by piece, and for nothing before", async () => {
  const { body, seen } = makeBody();
  const reader = body.stream().getReader();
  const large = 16 * 1024;
  for (const times of [1, 2, 3, 4]) body.push(Buffer.alloc(times * large), false);
  await turn();
  expect(seen.consumed).toBe(0);
  const counts: number[] = [];
  for (let i = 0; i < 4; i++) {
    await reader.read();
    await turn();
    counts.push(seen.consumed / large);
  }
  expect(counts).toEqual([1, 3, 6, 10]);
});

test("small pieces that nobody takes are joined; each piece that is taken has its memory for itself", async () => {
  const { body, seen } = makeBody();
  const count = 100_000;
  for (let i = 0; i < count; i++) body.push(Buffer.from([i & 255]), false);
  body.push(null, true);
  const pieces: Uint8Array[] = [];
  for (let piece = await body.next(); piece !== null; piece = await body.next()) pieces.push(piece);
  expect(pieces.length).toBeLessThan(10);
  expect(pieces.every(({ buffer, length }) => buffer.byteLength === length)).toBe(true);
  expect(Buffer.concat(pieces).every((byte, i) => byte === (i & 255))).toBe(true);
  expect(seen.consumed).toBe(count);
});

test("a reader that waits gets the next piece when it comes, and the end", async () => {
  const { body } = makeBody();
  const text = new Response(body.stream()).text();
  body.push(bytes("hello"), false);
  await turn();
  body.push(bytes(", world"), false);
  body.push(null, true);
  expect(await text).toBe("hello, world");
});

test("who cancels a stream is heard once, and not where the answer has ended", async () => {
  const open = makeBody();
  open.body.push(bytes("x"), false);
  await open.body.stream().cancel();
  open.body.cancel();
  expect(open.seen.cancelled).toBe(1);
  const ended = makeBody();
  ended.body.push(bytes("x"), true);
  await ended.body.stream().cancel();
  expect(ended.seen.cancelled).toBe(0);
});

test("an answer that breaks off is an error for whoever reads it then or later", async () => {
  const { body } = makeBody();
  const first = body.next();
  const broken = new HeadgateError(fault("replica_lost", "gone"));
  body.fail(broken);
  await expect(first).rejects.toBe(broken);
  await expect(body.all()).rejects.toBe(broken);
});

test("a whole body is read up to a bound, beyond which the rest is let go of", async () => {
  const { body, seen } = makeBody();
  body.push(bytes("abc"), false);
  body.push(bytes("def"), false);
  expect(Buffer.from(await body.all(4)).toString()).toBe("abcdef");
  expect(seen.cancelled).toBe(1);
});

async function collect(type: string, text: Buffer, cuts: readonly number[]): Promise<unknown[]> {
  const { body } = makeBody();
  const edges = [0, ...[...cuts].map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  for (let i = 1; i < edges.length; i++) body.push(text.subarray(edges[i - 1], edges[i]), false);
  body.push(null, true);
  const items: unknown[] = [];
  for await (const item of itemsOf(body, type)) items.push(item);
  return items;
}

test("lines of JSON come one for one, wherever the way has cut them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 8 }), async (values, cuts) => {
      const text = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(""), "utf8");
      const meant: unknown = JSON.parse(JSON.stringify(values));
      expect(await collect("application/x-ndjson", text, cuts)).toEqual(meant);
    }),
  );
});

test("text and bytes come in pieces that make up the whole, no character cut in two", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 40 }), fc.array(fc.nat(), { maxLength: 8 }), async (text, cuts) => {
      const whole = Buffer.from(text, "utf8");
      expect((await collect("text/plain; charset=utf-8", whole, cuts)).join("")).toBe(whole.toString("utf8"));
      const pieces = await collect("application/octet-stream", whole, cuts);
      expect(Buffer.concat(pieces as Uint8Array[])).toEqual(whole);
    }),
  );
});

test("who leaves the loop over the items cancels the call, even where it never began", async () => {
  const left = makeBody();
  left.body.push(bytes('{"n":1}\n{"n":2}\n'), false);
  for await (const item of itemsOf(left.body, "application/x-ndjson")) {
    expect(item).toEqual({ n: 1 });
    break;
  }
  expect(left.seen.cancelled).toBe(1);
  const never = makeBody();
  await itemsOf(never.body, "text/plain").return?.();
  expect(never.seen.cancelled).toBe(1);
});

test("a line that is no JSON is the replica's fault, and ends the call", async () => {
  const { body, seen } = makeBody();
  body.push(bytes("{\n"), false);
  await expect(itemsOf(body, "application/x-ndjson").next()).rejects.toMatchObject({ code: "replica_protocol" });
  expect(seen.cancelled).toBe(1);
});

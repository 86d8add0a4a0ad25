// Messages where they lie: the same ones however the bytes are cut, memory used again, and what is needed never written over.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Inbox } from "./inbox.ts";
import { prefixed } from "./splitter.ts";

const KIB = 1024;

/** An inbox that notes what it tells. `needed` is asked after each read. */
function open(needed: () => boolean, maxBytes?: number) {
  const told: Buffer[] = [];
  const trailers: string[] = [];
  const events = {
    message: (message: Buffer) => void told.push(message),
    trailers: (bytes: Buffer) => void trailers.push(bytes.toString()),
    delivered: needed,
  };
  const inbox = new Inbox(events, maxBytes);
  const read = (bytes: Buffer): void => {
    // As much as there is room for, as a socket does.
    for (let at = 0; at < bytes.length; ) {
      const size = bytes.copy(inbox.room(), 0, at);
      inbox.filled(size);
      at += size;
    }
  };
  return { inbox, read, told, trailers };
}

/** Bytes that tell by themselves where they were. */
function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (seed * 131 + i * 7 + (i >> 8)) & 0xff;
  return bytes;
}

test("any cuts give the same messages, and those that are needed stay as they were told", () => {
  const size = fc.oneof(
    { weight: 6, arbitrary: fc.nat(300) },
    { weight: 3, arbitrary: fc.nat(70 * KIB) },
    { weight: 1, arbitrary: fc.nat(600 * KIB) },
  );
  const cut = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 80 * KIB }));
  fc.assert(
    fc.property(
      fc.array(size, { maxLength: 14 }),
      fc.array(cut, { minLength: 1, maxLength: 20 }),
      fc.array(fc.boolean(), { minLength: 1 }),
      (sizes, cuts, needs) => {
        const sent = sizes.map((length, i) => pattern(length, i));
        const kept: { readonly message: Buffer; readonly copy: Buffer }[] = [];
        const told: Buffer[] = [];
        let fresh: Buffer[] = [];
        let reads = 0;
        const inbox = new Inbox({
          message: (message) => {
            told.push(Buffer.from(message));
            fresh.push(message);
          },
          trailers: () => undefined,
          delivered: () => {
            const needed = needs[reads++ % needs.length] === true;
            if (needed) kept.push(...fresh.map((message) => ({ message, copy: Buffer.from(message) })));
            fresh = [];
            return needed;
          },
        });
        const bytes = Buffer.concat(sent.map(prefixed));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const filled = bytes.copy(inbox.room(), 0, at, Math.min(bytes.length, at + (cuts[i % cuts.length] ?? 1)));
          inbox.filled(filled);
          at += filled;
        }
        expect(told.length).toBe(sent.length);
        expect(told.every((message, i) => message.equals(sent[i] ?? Buffer.alloc(0)))).toBe(true);
        expect(kept.every(({ message, copy }) => message.equals(copy))).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

test("memory whose messages are not needed is read into again, and other memory where they are", () => {
  let needed = false;
  const { inbox, read, told } = open(() => needed);
  const memory = inbox.room().buffer;
  for (let i = 0; i < 20; i++) read(prefixed(pattern(100 * KIB, i)));
  expect(inbox.room().buffer).toBe(memory);
  expect(inbox.room().byteOffset).toBe(0);
  needed = true;
  read(prefixed(pattern(100 * KIB, 0)));
  needed = false;
  for (let i = 0; i < 20; i++) read(prefixed(Buffer.alloc(100 * KIB)));
  expect(told[20]?.equals(pattern(100 * KIB, 0))).toBe(true);
  needed = true;
  told.length = 20;
  for (let i = 0; i < 20; i++) read(prefixed(pattern(100 * KIB, i)));
  expect(told.slice(20).map((message, i) => message.equals(pattern(100 * KIB, i)))).not.toContain(false);
});

test("small messages that are needed take their own bytes, not memory each", () => {
  const { read, told } = open(() => true);
  for (let i = 0; i < 1_000; i++) read(prefixed(pattern(60, i)));
  expect(new Set(told.map(({ buffer }) => buffer)).size).toBe(1);
});

test("a message that is larger than the memory is taken whole, and the memory is small again behind it", () => {
  const { inbox, read, told } = open(() => false);
  const usual = inbox.room().length;
  read(Buffer.concat([prefixed(pattern(3_000 * KIB, 1)), prefixed(Buffer.from("behind")).subarray(0, 7)]));
  expect(told).toHaveLength(1);
  expect(told[0]?.length).toBe(3_000 * KIB);
  read(prefixed(Buffer.from("behind")).subarray(7));
  expect(told[1]?.toString()).toBe("behind");
  expect(inbox.room().length).toBe(usual);
});

test("trailers are told apart from messages", () => {
  const { read, told, trailers } = open(() => false);
  const last = prefixed(Buffer.from("grpc-status: 0\r\n"));
  last[0] = 0x80;
  read(Buffer.concat([prefixed(Buffer.from("one")), last]));
  expect([told.map(String), trailers]).toEqual([["one"], ["grpc-status: 0\r\n"]]);
});

test("a message at the limit is taken, one over it is refused by its prefix alone, as is a compressed one", () => {
  const { read, told } = open(() => false, 10);
  read(prefixed(Buffer.alloc(10)));
  expect(told).toHaveLength(1);
  expect(() => read(Buffer.from([0, 0, 0, 0, 11]))).toThrow(expect.objectContaining({ code: "replica_protocol" }));
  expect(() => open(() => false).read(Buffer.from([1, 0, 0, 0, 1, 7]))).toThrow(expect.objectContaining({ code: "replica_protocol" }));
});

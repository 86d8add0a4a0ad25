// Messages out of chunks: the same ones however the bytes are cut.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { MessageSplitter, prefixed } from "./splitter.ts";

/** Splits bytes at these places and collects the messages. */
function messagesOf(bytes: Buffer, cuts: readonly number[], maxBytes?: number): Buffer[] {
  const messages: Buffer[] = [];
  const splitter = new MessageSplitter((message) => messages.push(Buffer.from(message)), maxBytes);
  let from = 0;
  for (const cut of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    // A chunk of its own memory, as a socket's is.
    splitter.push(Buffer.from(bytes.subarray(from, cut)));
    from = cut;
  }
  expect(splitter.partial).toBe(false);
  return messages;
}

test("any chunking gives the same messages, empty ones and empty chunks too", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }), fc.array(fc.nat(1_000), { maxLength: 30 }), (sent, cuts) => {
      const messages = messagesOf(Buffer.concat(sent.map(prefixed)), cuts);
      expect(messages.map((message) => [...message])).toEqual(sent.map((message) => [...message]));
    }),
    { numRuns: 1_000 },
  );
});

test("byte by byte gives the same messages", () => {
  const sent = [Buffer.from("one"), Buffer.alloc(0), Buffer.alloc(300, 7)];
  const bytes = Buffer.concat(sent.map(prefixed));
  const everywhere = Array.from({ length: bytes.length }, (_, i) => i);
  expect(messagesOf(bytes, everywhere)).toEqual(sent);
});

test("what was handed on is not written over by later chunks", () => {
  const kept: Buffer[] = [];
  const splitter = new MessageSplitter((message) => kept.push(message));
  const bytes = Buffer.concat([prefixed(Buffer.from("first")), prefixed(Buffer.from("second"))]);
  splitter.push(Buffer.from(bytes.subarray(0, 14)));
  splitter.push(Buffer.from(bytes.subarray(14)));
  splitter.push(prefixed(Buffer.from("third")));
  expect(kept.map(String)).toEqual(["first", "second", "third"]);
});

test("a message that has begun and not ended is told", () => {
  const splitter = new MessageSplitter(() => undefined);
  expect(splitter.partial).toBe(false);
  splitter.push(Buffer.from([0, 0]));
  expect(splitter.partial).toBe(true);
  splitter.push(Buffer.from([0, 0, 1]));
  expect(splitter.partial).toBe(true);
  splitter.push(Buffer.from([9]));
  expect(splitter.partial).toBe(false);
});

test("a message at the limit is taken, one over it is refused by its prefix alone", () => {
  expect(messagesOf(prefixed(Buffer.alloc(10)), [3], 10)).toHaveLength(1);
  const splitter = new MessageSplitter(() => undefined, 10);
  expect(() => splitter.push(Buffer.from([0, 0, 0, 0, 11]))).toThrow("over the limit of 10 (grpcMessageBytes)");
  const hostile = new MessageSplitter(() => undefined);
  expect(() => hostile.push(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]))).toThrow(expect.objectContaining({ code: "replica_protocol" }));
});

test("a compressed message is refused", () => {
  const splitter = new MessageSplitter(() => undefined);
  expect(() => splitter.push(Buffer.from([1, 0, 0, 0, 0]))).toThrow("compressed");
});

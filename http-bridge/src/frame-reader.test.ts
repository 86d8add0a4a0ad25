// What a caller's frames take of memory while their message is not whole: about their bytes, however they are cut.
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "@jest/globals";
import { frame } from "../../test/support/frames.ts";
import { FrameReader } from "./frame-reader.ts";

setFlagsFromString("--expose_gc");
// A context made after the flag was set has the function.
const collect = runInNewContext("gc") as () => void;

const MIB = 1024 * 1024;

function memory(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function makeReader() {
  const messages: Buffer[] = [];
  const broken: number[] = [];
  const reader = new FrameReader(
    {
      message: (data) => void messages.push(data),
      ping: () => undefined,
      close: () => undefined,
      broken: (code) => void broken.push(code),
    },
    MIB,
  );
  return { reader, messages, broken };
}

/** A read of its own, as a socket gives it. */
const read = (bytes: Buffer): Buffer => {
  const chunk = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(chunk);
  return chunk;
};

test("a frame of which each byte comes alone", () => {
  const { reader, messages } = makeReader();
  const payload = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i & 255));
  const whole = frame({ opcode: 2, payload });
  const before = memory();
  for (let i = 0; i + 1 < whole.length; i++) reader.push(read(whole.subarray(i, i + 1)));
  expect(memory() - before).toBeLessThan(24 * MIB);
  reader.push(whole.subarray(-1));
  expect(messages).toEqual([payload]);
});

test("pieces of one byte, each in a read that is full of pings", async () => {
  const { reader, messages, broken } = makeReader();
  const pings = Buffer.concat(Array<Buffer>(490).fill(frame({ opcode: 9, payload: Buffer.alloc(125) })));
  const piece = (i: number, fin: boolean): Buffer => frame({ opcode: i === 0 ? 2 : 0, fin, payload: Buffer.from([i & 255]) });
  const before = memory();
  for (let i = 0; i < 1_000; i++) reader.push(read(Buffer.concat([piece(i, false), pings])));
  expect(memory() - before).toBeLessThan(24 * MIB);
  reader.push(piece(1_000, true));
  expect(messages).toEqual([Buffer.from(Array.from({ length: 1_001 }, (_, i) => i & 255))]);
  // The next message begins anew, its limit too.
  for (let i = 0; i < 16_384; i++) reader.push(piece(i, false));
  await nextTurn();
  expect(broken).toEqual([]);
  reader.push(piece(16_384, false));
  await nextTurn();
  expect([messages.length, broken]).toEqual([1, [1008]]);
});

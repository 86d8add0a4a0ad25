// What a lane sends keeps to the credit and to the size of a frame, and is what was given, in order.
import { expect, test } from "@jest/globals";
import { WebSocketPart } from "@headgate/proto/replica";
import fc from "fast-check";
import { Call } from "./call.ts";
import { MessageLane, costOf } from "./message-lane.ts";

const { TEXT, BINARY, TEXT_CONTINUES, BINARY_CONTINUES, CLOSE } = WebSocketPart;

const sink = { head: () => true, body: () => true, release: () => true, fault: () => undefined, writable: () => undefined };
const newCall = (credit: number): Call => {
  const call = new Call("e", "GET", "/", [], "r-1", Infinity, sink);
  call.sendCredit = credit;
  return call;
};

interface Sent {
  readonly part: number;
  readonly body: Buffer;
}

/** Puts frames together to messages again. */
function messagesOf(frames: readonly Sent[]): Sent[] {
  const messages: Sent[] = [];
  let pieces: Buffer[] = [];
  let kind = 0;
  for (const { part, body } of frames) {
    pieces.push(body);
    if (part === TEXT_CONTINUES || part === BINARY_CONTINUES) {
      kind = part;
      continue;
    }
    expect([0, part + 2]).toContain(kind);
    messages.push({ part, body: Buffer.concat(pieces) });
    pieces = [];
    kind = 0;
  }
  return messages;
}

const size = fc.oneof(fc.nat(40), fc.constantFrom(0, 65_535, 65_536, 65_537, 200_000), fc.nat(100_000));
const step = fc.oneof(
  fc.record({ part: fc.constantFrom(TEXT, BINARY), size }),
  fc.record({ credit: fc.oneof(fc.nat(40), fc.constantFrom(65_536, 262_144)) }),
);

test("messages of any size arrive whole and in order, never beyond the credit, in frames of at most 64 KiB", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.nat(300), (steps, first) => {
      const call = newCall(first);
      const sent: Sent[] = [];
      const out = {
        writePart: (_call: Call, part: number, body: Buffer): void => {
          expect(call.sendCredit).toBeGreaterThanOrEqual(0);
          expect(body.length).toBeLessThanOrEqual(65_536);
          sent.push({ part, body });
        },
      };
      let granted = first;
      const lane = new MessageLane({ part: () => undefined });
      const given: Sent[] = [];
      let empty = true;
      for (const [index, one] of steps.entries()) {
        if ("credit" in one) {
          granted += one.credit;
          call.sendCredit += one.credit;
          empty = lane.pump(call, out);
        } else {
          const body = Buffer.alloc(one.size, index);
          given.push({ part: one.part, body });
          empty = lane.send(call, one.part, body, out);
        }
        const cost = sent.reduce((sum, { part, body }) => sum + costOf(part, body), 0);
        expect(cost + call.sendCredit).toBe(granted);
      }
      // With credit enough, all of it arrives.
      call.sendCredit += 100_000_000;
      expect(lane.pump(call, out) || empty).toBe(true);
      expect(messagesOf(sent).map(({ part, body }) => [part, body.length, body[0]])).toEqual(
        given.map(({ part, body }) => [part, body.length, body[0]]),
      );
    }),
  );
});

test("a close needs no credit, and takes with it what waits, as nothing comes behind it", () => {
  const call = newCall(0);
  const sent: [number, number][] = [];
  const out = { writePart: (_call: Call, part: number, body: Buffer): void => void sent.push([part, body.length]) };
  const lane = new MessageLane({ part: () => undefined });
  expect(lane.send(call, TEXT, Buffer.alloc(5), out)).toBe(false);
  expect(lane.send(call, BINARY, Buffer.alloc(70_000), out)).toBe(false);
  expect(sent).toEqual([]);
  expect(lane.send(call, CLOSE, Buffer.alloc(2), out)).toBe(true);
  expect(sent).toEqual([
    [TEXT, 5],
    [BINARY_CONTINUES, 65_536],
    [BINARY, 4_464],
    [CLOSE, 2],
  ]);
});

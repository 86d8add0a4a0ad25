// A handler's WebSocket against a bridge that grants credit as it likes: what is sent, what is read, how it ends.
import { expect, test } from "@jest/globals";
import { decodeClose } from "@headgate/core";
import { WebSocketPart } from "@headgate/proto/replica";
import fc from "fast-check";
import { ReplicaSocket } from "./websocket.ts";

const { TEXT, BINARY, TEXT_CONTINUES, BINARY_CONTINUES, CLOSE } = WebSocketPart;
const WINDOW = 262_144;

interface Sent {
  readonly part: number;
  readonly body: Buffer;
  readonly end: boolean;
}

/** A socket, and all that its bridge hears of it. */
function open() {
  const sent: Sent[] = [];
  const seen = { consumed: 0, lost: 0, ends: 0 };
  const socket = new ReplicaSocket("", {
    part: (part, body, end) => {
      const bytes = Buffer.from(body as string);
      sent.push({ part, body: bytes, end });
      return bytes.length;
    },
    end: () => void seen.ends++,
    consumed: (bytes) => void (seen.consumed += bytes),
    lost: () => void seen.lost++,
  });
  return { socket, sent, seen };
}

const cost = ({ part, body }: Sent): number => (part === CLOSE ? 0 : body.length + (part === TEXT || part === BINARY ? 16 : 0));
const closeOf = (sent: readonly Sent[]) => decodeClose(sent.find(({ part }) => part === CLOSE)?.body ?? Buffer.from("none"));

test("messages of any size are sent whole and in order, never beyond the credit, in frames of at most 64 KiB", () => {
  const size = fc.oneof(fc.nat(40), fc.constantFrom(0, 21_845, 21_846, 65_536, 65_537, 200_000));
  const step = fc.oneof(fc.record({ text: size }), fc.record({ bytes: size }), fc.record({ credit: fc.nat(100_000) }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { socket, sent } = open();
      let granted = WINDOW;
      const given: Sent[] = [];
      for (const one of steps) {
        if ("credit" in one) {
          granted += one.credit;
          socket.grant(one.credit);
        } else {
          const message = "text" in one ? "ü€a".repeat(one.text).slice(0, one.text) : new Uint8Array(one.bytes).fill(7);
          given.push({ part: "text" in one ? TEXT : BINARY, body: Buffer.from(message as string), end: false });
          void socket.send(message);
        }
        expect(sent.reduce((sum, frame) => sum + cost(frame), 0)).toBeLessThanOrEqual(granted);
      }
      socket.grant(100_000_000);
      expect(socket.bufferedBytes).toBe(0);
      expect(sent.every(({ body }) => body.length <= 65_536)).toBe(true);
      const whole: Sent[] = [];
      let pieces: Buffer[] = [];
      for (const { part, body } of sent) {
        pieces.push(body);
        if (part === TEXT_CONTINUES || part === BINARY_CONTINUES) continue;
        whole.push({ part, body: Buffer.concat(pieces), end: false });
        pieces = [];
      }
      expect(whole.map(({ part, body }) => [part, body.toString("base64")])).toEqual(
        given.map(({ part, body }) => [part, body.toString("base64")]),
      );
    }),
  );
});

test("send() resolves when the message is on its way, and bufferedBytes says what is not", async () => {
  const { socket } = open();
  await socket.send("x".repeat(1_000));
  let done = false;
  const large = socket.send(new Uint8Array(300_000)).then(() => (done = true));
  expect(socket.bufferedBytes).toBe(300_000 - WINDOW + 1_016);
  await Promise.resolve();
  expect(done).toBe(false);
  socket.grant(100_000);
  await large;
  expect(socket.bufferedBytes).toBe(0);
});

test("messages are read in order, those that were there before and those that come while someone waits", async () => {
  const { socket, seen } = open();
  socket.received(TEXT, Buffer.from("one"));
  socket.received(BINARY, Buffer.from([2]));
  socket.received(TEXT_CONTINUES, Buffer.from([0xc3]));
  socket.received(TEXT, Buffer.from([0xbc]));
  const reader = socket[Symbol.asyncIterator]();
  const read = async (): Promise<unknown> => (await reader.next()).value;
  // A piece is given back at once, whole messages as they are taken.
  expect(seen.consumed).toBe(1);
  expect([await read(), await read(), await read()]).toEqual(["one", new Uint8Array([2]), "ü"]);
  expect(seen.consumed).toBe(1 + 19 + 17 + 17);
  const both = Promise.all([read(), read(), read()]);
  socket.received(TEXT, null);
  socket.received(TEXT, Buffer.from("last"));
  socket.received(CLOSE, null);
  expect(await both).toEqual(["", "last", undefined]);
  expect(await socket.closed).toEqual({ code: 1005, reason: "" });
  expect([seen.lost, await read()]).toEqual([1, undefined]);
});

test("what came before the caller's close can still be read, and a loop that was left goes on", async () => {
  const { socket } = open();
  for (const text of ["a", "b", "c"]) socket.received(TEXT, Buffer.from(text));
  socket.received(CLOSE, Buffer.from([0x0f, 0xa0, 0x78]));
  const read: unknown[] = [];
  for await (const message of socket) {
    read.push(message);
    break;
  }
  for await (const message of socket) read.push(message);
  expect([read, await socket.closed]).toEqual([["a", "b", "c"], { code: 4000, reason: "x" }]);
});

test("close() sends its close behind all messages; what the caller sends until it answers is dropped and given back", async () => {
  const { socket, sent, seen } = open();
  socket.received(TEXT, Buffer.from("unread"));
  void socket.send(new Uint8Array(WINDOW));
  socket.close(4_000, "done");
  socket.close(4_001);
  await socket.send("behind a close");
  expect([closeOf(sent), seen.consumed]).toEqual([null, 22]);
  socket.received(BINARY, Buffer.alloc(100));
  expect(seen.consumed).toBe(22 + 116);
  socket.grant(1_000);
  expect([closeOf(sent), sent.at(-1)?.end]).toEqual([{ code: 4_000, reason: "done" }, false]);
  const end = await socket[Symbol.asyncIterator]().next();
  expect(end.done).toBe(true);
  socket.received(CLOSE, Buffer.from([0x0f, 0xa0]));
  expect([await socket.closed, seen.lost]).toEqual([{ code: 4_000, reason: "" }, 0]);
});

test("a handler that returns sends a close 1000 and the end, after what waits", async () => {
  const { socket, sent, seen } = open();
  void socket.send(new Uint8Array(WINDOW));
  const finished = socket.finish();
  expect([finished === null, closeOf(sent)]).toEqual([false, null]);
  socket.grant(1_000);
  await finished;
  expect([closeOf(sent), seen.ends]).toEqual([{ code: 1000, reason: "" }, 1]);
  expect(await socket.closed).toEqual({ code: 1000, reason: "" });
  const idle = open();
  expect(idle.socket.finish()).toBeNull();
  expect([closeOf(idle.sent), idle.seen.ends]).toEqual([{ code: 1000, reason: "" }, 1]);
});

test("a handler that returns when its caller is gone sends nothing but the end", () => {
  const { socket, sent, seen } = open();
  socket.vanished();
  expect(socket.finish()).toBeNull();
  expect([sent, seen.ends, seen.lost]).toEqual([[], 1, 1]);
});

test("a caller that vanishes frees whoever waits to send, and the handler that has returned", async () => {
  const { socket, seen } = open();
  const sending = socket.send(new Uint8Array(WINDOW));
  const finished = socket.finish();
  socket.vanished();
  await Promise.all([sending, finished]);
  expect([socket.bufferedBytes, seen.ends, await socket.closed]).toEqual([0, 1, { code: 1006, reason: "" }]);
});

test("a replica that ends closes at once, whatever waits", async () => {
  const { socket, sent, seen } = open();
  const sending = socket.send(new Uint8Array(2 * WINDOW));
  socket.abort({ code: 1012, reason: "again" }, true);
  await sending;
  expect([closeOf(sent), sent.at(-1)?.end, seen.lost]).toEqual([{ code: 1012, reason: "again" }, true, 1]);
  expect(await socket.closed).toEqual({ code: 1012, reason: "again" });
});

test.each([[null], [undefined], [7], [{}], [["x"]]])("send(%j) is a TypeError", (message) => {
  // A caller without types may give anything.
  expect(() => open().socket.send(message as unknown as string)).toThrow(TypeError);
});

test("bytes are sent as they lie in their buffer, whatever the view", async () => {
  const { socket, sent } = open();
  const { buffer } = new Uint8Array([1, 2, 3, 4]);
  await socket.send(buffer);
  await socket.send(new DataView(buffer, 1, 2));
  await socket.send(new Uint16Array(buffer, 2, 1));
  expect(sent.map(({ body }) => [...body])).toEqual([
    [1, 2, 3, 4],
    [2, 3],
    [3, 4],
  ]);
});

test.each([
  ["text", ""],
  ["bytes", new Uint8Array(0)],
])("messages of no %s that nobody takes are bounded as well: 1008", async (_, message) => {
  const { socket, sent } = open();
  let count = 0;
  for (; closeOf(sent) === null && count < 1_000_000; count++) void socket.send(message);
  expect(closeOf(sent)).toMatchObject({ code: 1008 });
  // As many as the credit takes, and then so many as are worth 16 MiB.
  expect(count).toBeGreaterThan(WINDOW / 16);
  expect(count).toBeLessThan(100_000);
  expect(await socket.closed).toMatchObject({ code: 1008 });
});

// A bridge's WebSockets over real connections, their handlers' side left out: pings, closes that nobody answers, one write a turn.
import { type Server, type Socket, connect, createServer } from "node:net";
import { once } from "node:events";
import { afterEach, expect, test } from "@jest/globals";
import { Call, Router } from "@headgate/client/data-plane";
import { WebSocketPart } from "@headgate/proto/replica";
import { BridgeSocket } from "./websocket.ts";
import { WebSockets } from "./websockets.ts";

const { TEXT, TEXT_CONTINUES, BINARY } = WebSocketPart;
const sink = { head: () => true, body: () => true, release: () => true, fault: () => undefined, writable: () => undefined };

let servers: Server[] = [];
let callers: Socket[] = [];
afterEach(() => {
  for (const caller of callers) caller.destroy();
  callers = [];
  for (const server of servers) server.close();
  servers = [];
});

/** One connection with both of its ends. */
async function open(sockets: WebSockets) {
  const server = createServer({ allowHalfOpen: true });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const caller = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  // The connection event's one argument.
  const [near] = (await once(server, "connection")) as [Socket];
  callers.push(caller);
  caller.on("error", () => undefined);
  near.on("error", () => undefined);
  const router = new Router();
  const call = new Call("e", "GET", "/", [], "r-1", Infinity, sink);
  const socket = new BridgeSocket(near, call, router, sockets, 1_000_000);
  sockets.add(socket);
  const seen: Buffer[] = [];
  caller.on("data", (piece: Buffer) => seen.push(piece));
  const closed = once(near, "close");
  return { caller, near, socket, closed, seen: () => Buffer.concat(seen) };
}

/** Resolves when the caller has got so many bytes. */
async function got(one: { readonly caller: Socket; readonly seen: () => Buffer }, bytes: number): Promise<Buffer> {
  while (one.seen().length < bytes) await once(one.caller, "data");
  return one.seen();
}

const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

test("a caller that answers pings stays, one that does not is cut", async () => {
  const sockets = new WebSockets(150);
  const [answers, silent] = await Promise.all([open(sockets), open(sockets)]);
  answers.caller.on("data", () => answers.caller.write(PONG));
  await silent.closed;
  // Its own ping came, and nothing else.
  expect(silent.seen().equals(Buffer.from([0x89, 0]))).toBe(true);
  await got(answers, 8);
  expect(answers.near.destroyed).toBe(false);
  answers.caller.destroy();
  await answers.closed;
});

test("a caller that sends anything at all is there, and one who is held back is not asked to be heard", async () => {
  const sockets = new WebSockets(150);
  const [sends, held] = await Promise.all([open(sockets), open(sockets)]);
  sends.caller.on("data", () => sends.caller.write(Buffer.from([0x81, 0x80, 0, 0, 0, 0])));
  held.near.pause();
  await got(sends, 8);
  await got(held, 8);
  expect([sends.near.destroyed, held.near.destroyed]).toEqual([false, false]);
  for (const one of [sends, held]) one.caller.destroy();
  held.near.resume();
  await Promise.all([sends.closed, held.closed]);
});

test("a caller that reads slowly and says nothing is there as long as it reads", async () => {
  const sockets = new WebSockets(500);
  const one = await open(sockets);
  one.caller.pause();
  const fill = setInterval(() => {
    if (!one.near.writableNeedDrain) one.socket.part(BINARY, Buffer.alloc(65_536));
  }, 1).unref();
  // Reads one piece at a time, never to the end of what waits.
  const read = setInterval(() => one.caller.read(65_536), 5).unref();
  await new Promise((done) => setTimeout(done, 1_800));
  clearInterval(read);
  clearInterval(fill);
  expect(one.near.destroyed).toBe(false);
  // One that reads no more is cut.
  await one.closed;
});

test("a close that nobody answers ends its connection after a while", async () => {
  const one = await open(new WebSockets(10_000, 30));
  one.socket.close({ code: 1000, reason: "" });
  expect((await got(one, 4)).equals(Buffer.from([0x88, 2, 3, 0xe8]))).toBe(true);
  await one.closed;
});

test("a connection is given to the keeper only as long as it is open", async () => {
  const one = await open(new WebSockets());
  one.caller.end();
  await one.closed;
});

test("frames of one turn leave in one write, in their order, small and large ones", async () => {
  const one = await open(new WebSockets());
  const writes: number[] = [];
  const write = one.near.write.bind(one.near);
  // Counts what the connection is asked to write; it still does.
  one.near.write = (piece: Buffer) => {
    writes.push(piece.length);
    return write(piece);
  };
  one.socket.part(TEXT, Buffer.from("a"));
  one.socket.part(TEXT, null);
  one.socket.part(TEXT_CONTINUES, Buffer.from("b"));
  one.socket.ping();
  one.socket.part(TEXT, Buffer.alloc(126, "c"));
  expect(writes).toEqual([]);
  const small = [0x81, 1, 0x61, 0x81, 0, 0x01, 1, 0x62, 0x89, 0, 0x80, 126, 0, 126, ...Array<number>(126).fill(0x63)];
  expect([...(await got(one, small.length))]).toEqual(small);
  expect(writes).toEqual([small.length]);
  one.socket.part(BINARY, Buffer.alloc(70_000, 1));
  one.socket.part(BINARY, Buffer.alloc(9_000, 2));
  one.socket.part(TEXT, Buffer.from("z"));
  const large = (await got(one, small.length + 10 + 70_000 + 4 + 9_000 + 3)).subarray(small.length);
  expect([...large.subarray(0, 12)]).toEqual([0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70, 1, 1]);
  expect([...large.subarray(70_009, 70_016)]).toEqual([1, 0x82, 126, 0x23, 0x28, 2, 2]);
  expect([...large.subarray(-3)]).toEqual([0x81, 1, 0x7a]);
  one.caller.destroy();
  await one.closed;
});

test("of pings that a caller sends without reading, the newest alone is answered once it reads", async () => {
  const one = await open(new WebSockets());
  one.caller.pause();
  while (!one.near.writableNeedDrain) {
    one.socket.part(BINARY, Buffer.alloc(65_536));
    await new Promise((done) => setImmediate(done));
  }
  const before = one.near.writableLength;
  const pings = Array.from({ length: 1_000 }, (_, i) =>
    Buffer.concat([Buffer.from([0x89, 0x82, 0, 0, 0, 0]), Buffer.from([i >> 8, i & 255])]),
  );
  one.caller.write(Buffer.concat(pings));
  await once(one.near, "data");
  expect(one.near.writableLength).toBe(before);
  one.caller.resume();
  while (
    !one
      .seen()
      .subarray(-4)
      .equals(Buffer.from([0x8a, 2, 999 >> 8, 999 & 255]))
  )
    await once(one.caller, "data");
  expect(one.seen().filter((byte) => byte === 0x8a)).toHaveLength(1);
  one.caller.destroy();
  await one.closed;
});

test("while the bridge drains, a connection on which nothing passes is closed with 1001, a busy one is not", async () => {
  const sockets = new WebSockets(200);
  const [quiet, busy] = await Promise.all([open(sockets), open(sockets)]);
  const speak = setInterval(() => busy.socket.part(TEXT, null), 5);
  busy.caller.on("data", () => busy.caller.write(PONG));
  sockets.drain();
  expect([...(await got(quiet, 4))].slice(0, 4)).toEqual([0x88, 12, 3, 0xe9]);
  await got(busy, 40);
  expect(busy.seen().includes(0x88)).toBe(false);
  clearInterval(speak);
  sockets.close();
  while (!busy.seen().includes(0x88)) await once(busy.caller, "data");
  for (const one of [quiet, busy]) one.caller.destroy();
  await Promise.all([quiet.closed, busy.closed]);
});

test("pieces of a message that have no bytes are not sent, as they cost the handler no credit", async () => {
  const one = await open(new WebSockets());
  for (let i = 0; i < 1_000; i++) one.socket.part(TEXT_CONTINUES, i % 2 === 0 ? null : Buffer.alloc(0));
  one.socket.part(TEXT_CONTINUES, Buffer.from("a"));
  for (let i = 0; i < 1_000; i++) one.socket.part(TEXT_CONTINUES, null);
  one.socket.part(TEXT, null);
  expect([...(await got(one, 5))]).toEqual([0x01, 1, 97, 0x80, 0]);
});

// Calls without HTTP/2: the same calls on the same listener as those with it, and every way in which such a call can end.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { type Server, type Socket, connect as netConnect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HeadgateError, fault } from "@headgate/core";
import { openStream } from "@headgate/rpc/stream";
import { type StreamServer, serveStreams } from "@headgate/rpc/stream-server";
import { prefixed } from "./splitter.ts";

const ECHO = "/test.Echo/Bidi";
const SILENT = "/test.Silent/Call";
/** Sizes around the edges of reads and slabs. */
const MESSAGES = [0, 1, 65_530, 65_536, 70_000, 1_000_000].map((size, i) => Buffer.alloc(size, i + 1));

let folder = "";
let address = "";
let server: StreamServer;
let closed = 0;
let opened = 0;
const listeners: Server[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-direct-"));
  address = `unix:${join(folder, "s.sock")}`;
  closed = 0;
  opened = 0;
  server = await serveStreams(address, {
    [ECHO]: (call) => {
      opened++;
      return {
        message: (message) => {
          if (message.toString("latin1", 0, 5) === "throw") throw new Error("broken");
          if (message.toString("latin1", 0, 4) === "fail") call.end(fault("queue_full", "voll 100 % €", { limit: "7" }, 250));
          else call.sendPrefixed(prefixed(message).subarray(0, 7), [prefixed(message).subarray(7, 9), prefixed(message).subarray(9)]);
        },
        halfClosed: () => call.end(null),
        closed: () => closed++,
      };
    },
    [SILENT]: (call) => {
      opened++;
      return { message: () => undefined, halfClosed: () => call.end(null), closed: () => closed++ };
    },
  });
});
afterEach(() => {
  server.destroy();
  for (const listener of listeners.splice(0)) listener.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly messages: readonly Buffer[];
  readonly error: HeadgateError | null;
}

/** Sends messages, says that these are all, and resolves with what came back. */
function exchange(
  messages: readonly Buffer[],
  { path = ECHO, direct = true, to = address, maxMessageBytes = 4 << 20 } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const back: Buffer[] = [];
    const stream = openStream(
      to,
      { path, direct, maxMessageBytes },
      { message: (message) => back.push(Buffer.from(message)), end: (error) => resolve({ messages: back, error }) },
    );
    for (const message of messages) stream.send(message);
    stream.finish();
  });
}

/** Waits until something holds, for 10 s at the most. */
async function until(holds: () => boolean): Promise<void> {
  const late = performance.now() + 10_000;
  while (!holds() && performance.now() < late) await new Promise((resolve) => setImmediate(resolve));
}

/** A raw connection and all that came on it until its end. */
function raw(bytes: readonly (Buffer | string)[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const socket: Socket = netConnect(address.slice(5));
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(Buffer.concat(pieces)));
    void (async () => {
      for (const piece of bytes) await new Promise((sent) => socket.write(piece, () => setImmediate(sent)));
    })();
  });
}

test("messages of every size come back in order, beside calls over HTTP/2 on the same address", async () => {
  for (const direct of [true, false, true]) {
    const { messages, error } = await exchange(MESSAGES, { direct });
    expect(error).toBeNull();
    expect(messages.map((message) => message.length)).toEqual(MESSAGES.map((message) => message.length));
    for (const [i, message] of messages.entries()) expect(message.equals(MESSAGES[i] ?? Buffer.alloc(0))).toBe(true);
  }
  await until(() => closed === 3);
});

test("a fault comes whole: code, message, details, when to repeat", async () => {
  const { error } = await exchange([Buffer.from("fail")]);
  expect(error).toMatchObject({ code: "queue_full", message: "voll 100 % €", details: { limit: "7" }, retryAfterMs: 250 });
});

test("a method that throws, one that is not there and a message over the limit end the call with a fault", async () => {
  expect((await exchange([Buffer.from("throw")])).error).toMatchObject({ code: "replica_protocol" });
  expect((await exchange([], { path: "/__proto__" })).error).toMatchObject({ code: "method_not_declared" });
  expect((await exchange([Buffer.alloc((4 << 20) + 1)])).error?.message).toContain("grpcMessageBytes");
  expect((await exchange([Buffer.alloc(2000)], { maxMessageBytes: 1000 })).error?.message).toContain("grpcMessageBytes");
});

test("a first line that comes byte by byte is read like any other", async () => {
  const line = `HEADGATE-DIRECT/1 ${ECHO}\n`.split("");
  const got = await raw([...line, prefixed(Buffer.from("fail"))]);
  expect(got.toString("latin1")).toContain("grpc-status: 8");
});

test("what is neither HTTP/2 nor a call of ours is cut off", async () => {
  await raw(["GET / HTTP/1.1\r\n\r\n"]);
  await raw(["HEADGATE-DIRECT/2 /x\n"]);
  await raw([`HEADGATE-DIRECT/1 /${"x".repeat(1000)}`]);
  expect(opened).toBe(0);
});

test("a message with a flag that is not known ends the call", async () => {
  for (const flag of [1, 0x80, 0xff]) {
    const bytes = prefixed(Buffer.from("grpc-status: 0\r\n"));
    bytes[0] = flag;
    expect((await raw([`HEADGATE-DIRECT/1 ${ECHO}\n`, bytes])).toString("latin1")).toContain("grpc-status: 13");
  }
});

test("a call whose peer is gone ends with replica_lost, also in the middle of a message", async () => {
  const path = join(folder, "torn.sock");
  const listener = createServer((socket) => {
    socket.write(prefixed(Buffer.alloc(100)).subarray(0, 50));
    socket.once("data", () => socket.destroy());
  }).listen(path);
  listeners.push(listener);
  await new Promise((resolve) => listener.once("listening", resolve));
  const { messages, error } = await exchange([Buffer.from("x")], { to: `unix:${path}` });
  expect(messages).toEqual([]);
  expect(error).toMatchObject({ code: "replica_lost" });
  expect((await exchange([], { to: `unix:${join(folder, "nobody.sock")}` })).error).toMatchObject({ code: "replica_lost" });
});

test("closing a call ends it on both sides, each told once", async () => {
  const ends: unknown[] = [];
  const stream = openStream(address, { path: SILENT, direct: true }, { message: () => undefined, end: (error) => ends.push(error) });
  await until(() => opened === 1);
  stream.close();
  stream.close();
  await until(() => closed === 1);
  expect(ends).toHaveLength(1);
  expect(stream.send(Buffer.from("late"))).toBe(false);
});

test("finish() ends every call after what was sent on it", async () => {
  const ends: unknown[] = [];
  openStream(address, { path: SILENT, direct: true }, { message: () => undefined, end: (error) => ends.push(error) });
  await until(() => opened === 1);
  await server.finish(5_000);
  await until(() => closed === 1 && ends.length === 1);
  expect(ends).toEqual([null]);
});

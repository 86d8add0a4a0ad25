// WebSockets under pressure: callers that do not read or are gone, handlers that do not read. Each holds back or ends its own
// connection alone, and memory stays bounded. What ends them from behind stands in websocket-ends.test.ts.

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Socket } from "node:net";
import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { frame } from "../support/frames.ts";
import { openSocket, startInstance, waitFor, written } from "../support/instance.ts";
import { askForWebSocket, handshakeHead, openWebSocket } from "../support/websocket.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

const open = (path: string, options = {}) => openWebSocket(serve.httpUrl, path, options);

/** What a handler wrote to a file of this name, once it is there. */
const told = (name: string): Promise<string> => waitFor(`the handler's file ${name}`, () => written(instance, name));

/** Resident memory of a process, in bytes. */
const memoryOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4_096;

/** Memory of every bridge and replica together. */
async function memoryOfAll(): Promise<number> {
  const { bridges, replicas } = await serve.status();
  return [...bridges, ...replicas].reduce((sum, { pid }) => sum + (pid === null ? 0 : memoryOf(pid)), 0);
}

async function echo(request: HandlerRequest): Promise<void> {
  const socket = request.acceptWebSocket();
  for await (const message of socket) await socket.send(message);
}
await serve.createBackend({ name: "echo", handler: echo, config: { maxConcurrentQueries: 1_000 } });
await serve.createEndpoint("echo", { backend: "echo", route: "/echo" });

/** Sees that the echo still answers. */
async function echoAnswers(): Promise<void> {
  const talk = await open("/echo");
  for (let i = 0; i < 20; i++) {
    talk.ws.send(`${i}`);
    expect(await talk.next()).toBe(`${i}`);
  }
  talk.ws.close();
}

test("a caller that vanishes ends its handler's messages with 1006 and aborts its signal; others stay", async () => {
  await serve.createBackend("ends", async (request: HandlerRequest) => {
    const { writeFileSync } = await import("node:fs");
    const socket = request.acceptWebSocket();
    const aborted = new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
    const read: unknown[] = [];
    for await (const message of socket) read.push(message);
    const { code } = await socket.closed;
    await aborted;
    await socket.send("into nothing");
    writeFileSync(`ended-${request.headers.get("x-test")}`, `${code} ${read.join(",")} ${socket.bufferedBytes}`);
  });
  await serve.createEndpoint("ends", { backend: "ends", route: "/ends" });
  const [one, other] = await Promise.all(["one", "other"].map((name) => open("/ends", { headers: { "x-test": name } })));
  one?.ws.send("a");
  one?.ws.send("b");
  await new Promise<void>((resolve) => one?.ws.ping("", undefined, () => resolve()));
  one?.ws.once("pong", () => one.ws.terminate());
  expect(await told("ended-one")).toBe("1006 a,b 0");
  other?.ws.send("still");
  other?.ws.close(1000);
  expect(await other?.closed).toEqual({ code: 1000, reason: "" });
  expect(await told("ended-other")).toBe("1000 still 0");
});

test("a thousand callers that vanish leave nothing in flight", async () => {
  const talks = [];
  for (let i = 0; i < 1_000; i++) talks.push(await open("/echo"));
  await waitFor("all in flight", async () => (await serve.getBackend("echo")).replicas[0]?.inFlight === 1_000);
  for (const { ws } of talks) ws.terminate();
  await waitFor("none in flight", async () => (await serve.getBackend("echo")).replicas[0]?.inFlight === 0);
  await echoAnswers();
});

test("a caller that does not read holds back its own handler alone, and memory stays bounded", async () => {
  await serve.createBackend("pushes", async (request: HandlerRequest) => {
    const { writeFileSync } = await import("node:fs");
    const socket = request.acceptWebSocket();
    let sent = 0;
    const tell = setInterval(() => writeFileSync("pushed", `${sent}`), 50);
    for (let i = 0; i < 200; i++) {
      const message = new Uint8Array(1024 * 1024).fill(i);
      await socket.send(message);
      sent++;
    }
    clearInterval(tell);
  });
  await serve.createEndpoint("pushes", { backend: "pushes", route: "/pushes" });
  const before = await memoryOfAll();
  const talk = await open("/pushes");
  talk.ws.pause();
  // The kernel's buffers take some of it; then nothing moves any more.
  let last = "";
  const stuck = await waitFor("the handler to be held back", async () => {
    await new Promise((done) => setTimeout(done, 300));
    const now = await told("pushed");
    if (now !== last || now === "0") {
      last = now;
      return null;
    }
    return now;
  });
  expect(Number(stuck)).toBeLessThan(60);
  await echoAnswers();
  expect((await memoryOfAll()) - before).toBeLessThan(150 * MIB);
  talk.ws.resume();
  for (let i = 0; i < 200; i++) {
    const message = await talk.next();
    if (typeof message === "string") throw new Error("the message is text");
    expect([message.length, message[0], message.at(-1)]).toEqual([MIB, i, i]);
  }
  expect((await talk.closed).code).toBe(1000);
});

test("a handler that sends to such a caller without waiting is closed at websocketBufferedBytes with 1008", async () => {
  await serve.createBackend("floods", async (request: HandlerRequest) => {
    const { writeFileSync } = await import("node:fs");
    const socket = request.acceptWebSocket();
    let most = 0;
    while (!request.signal.aborted) {
      for (let i = 0; i < 4; i++) void socket.send(new Uint8Array(1024 * 1024));
      most = Math.max(most, socket.bufferedBytes);
      await new Promise((done) => setImmediate(done));
    }
    const { code } = await socket.closed;
    writeFileSync("flooded", `${code} ${most}`);
  });
  await serve.createEndpoint("floods", { backend: "floods", route: "/floods" });
  const talk = await open("/floods");
  talk.ws.pause();
  const [code, most] = (await told("flooded")).split(" ").map(Number);
  expect(code).toBe(1008);
  expect(most).toBeLessThanOrEqual(21 * MIB);
  talk.ws.resume();
  expect(await talk.closed).toEqual({ code: 1008, reason: "what is sent is not read fast enough" });
});

test("a handler that does not read holds back its own caller alone; when it reads, all is there and in order", async () => {
  await serve.createBackend("sleeps", async (request: HandlerRequest) => {
    const { existsSync } = await import("node:fs");
    const socket = request.acceptWebSocket();
    while (!existsSync("wake")) await new Promise((done) => setTimeout(done, 10));
    let next = 0;
    for await (const message of socket) {
      if (message === "end") break;
      if (!String(message).startsWith(`${next++} `)) socket.close(4000, "out of order");
    }
    await socket.send(`${next}`);
  });
  await serve.createEndpoint("sleeps", { backend: "sleeps", route: "/sleeps" });
  const before = await memoryOfAll();
  const talk = await open("/sleeps");
  for (let i = 0; i < 2_000; i++) talk.ws.send(`${i} ${"x".repeat(16 * KIB)}`);
  talk.ws.send("end");
  let last = -1;
  await waitFor("the caller to be held back", async () => {
    await new Promise((done) => setTimeout(done, 300));
    const { bufferedAmount } = talk.ws;
    const moved = bufferedAmount !== last;
    last = bufferedAmount;
    return !moved;
  });
  expect(last).toBeGreaterThan(16 * MIB);
  expect((await memoryOfAll()) - before).toBeLessThan(100 * MIB);
  await echoAnswers();
  await writeFile(join(instance.root, "wake"), "");
  expect(await talk.next()).toBe("2000");
  expect((await talk.closed).code).toBe(1000);
});

test("a handler that does not read learns at once of a close behind more than its credit, and can read all before it", async () => {
  await serve.createBackend("late", async (request: HandlerRequest) => {
    const { writeFileSync } = await import("node:fs");
    const socket = request.acceptWebSocket();
    const { code } = await socket.closed;
    let bytes = 0;
    for await (const message of socket) bytes += message.length;
    writeFileSync("late-read", `${code} ${bytes}`);
  });
  await serve.createEndpoint("late", { backend: "late", route: "/late" });
  const talk = await open("/late");
  for (let i = 0; i < 15; i++) await new Promise((sent) => talk.ws.send("x".repeat(16 * KIB), sent));
  // The last message, which is beyond the credit, and the close in one write: what comes later waits until the handler reads.
  // The package's type keeps its socket to itself.
  const { _socket: socket } = talk.ws as unknown as { readonly _socket: Socket };
  socket.cork();
  talk.ws.send("x".repeat(16 * KIB));
  talk.ws.close(4_000);
  socket.uncork();
  expect((await talk.closed).code).toBe(4_000);
  expect(await told("late-read")).toBe(`4000 ${16 * 16 * KIB}`);
});

test("messages of no bytes are bounded too, and a caller that pings without reading gets no more than it reads", async () => {
  await serve.createBackend("idles", async (request: HandlerRequest) => {
    const socket = request.acceptWebSocket();
    await socket.closed;
  });
  await serve.createEndpoint("idles", { backend: "idles", route: "/idles" });
  const before = await memoryOfAll();
  const socket = await openSocket(serve.httpUrl);
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(handshakeHead("/idles"));
  const pings = Buffer.concat(Array(2_000).fill(frame({ opcode: 9, payload: Buffer.alloc(125, "p") })));
  for (let i = 0; i < 100; i++) await new Promise<void>((resolve) => socket.write(pings, () => resolve()));
  const empty = Buffer.concat(Array(10_000).fill(frame()));
  let taken = 0;
  for (let i = 0; i < 300; i++) socket.write(empty, () => taken++);
  let last = -1;
  await waitFor("the caller to be held back", async () => {
    await new Promise((done) => setTimeout(done, 300));
    const moved = taken !== last;
    last = taken;
    return !moved;
  });
  expect(taken).toBeLessThan(300);
  expect((await memoryOfAll()) - before).toBeLessThan(100 * MIB);
  await echoAnswers();
  socket.destroy();
});

test("WebSockets count as requests in flight: one beyond maxConcurrentQueries waits for another to end", async () => {
  await serve.createBackend({ name: "two", handler: echo, config: { maxConcurrentQueries: 2 } });
  await serve.createEndpoint("two", { backend: "two", route: "/two" });
  const [first] = await Promise.all([open("/two"), open("/two")]);
  let opened = false;
  const third = open("/two").then((talk) => {
    opened = true;
    return talk;
  });
  await waitFor("the third in the queue", async () => (await serve.status()).bridges.some(({ inFlight }) => inFlight >= 3));
  expect(opened).toBe(false);
  first?.ws.close();
  (await third).ws.send("in");
  expect(await (await third).next()).toBe("in");
});

test("shadows get no copy of a WebSocket", async () => {
  await serve.createBackend("shadow", async (request: HandlerRequest) => {
    const { writeFileSync } = await import("node:fs");
    writeFileSync("shadow-saw", `${request.isWebSocket}`);
  });
  await serve.createEndpoint("shadowed", { backend: "echo", route: "/shadowed" });
  await serve.shadowTraffic("shadowed", "shadow", 1);
  const talk = await open("/shadowed");
  talk.ws.send("x");
  expect(await talk.next()).toBe("x");
  talk.ws.close();
  // A plain request does reach the shadow, and it is the first.
  await instance.fetch("/shadowed");
  expect(await told("shadow-saw")).toBe("false");
});

test("a handler that accepts batches takes no WebSockets: 501", async () => {
  await serve.createBackend({
    name: "batches",
    handler: class {
      static acceptsBatches = true;
      handle(requests: readonly HandlerRequest[]): unknown[] {
        return requests.map(() => "one of many");
      }
    },
    config: { maxBatchSize: 4 },
  });
  await serve.createEndpoint("batches", { backend: "batches", route: "/batches" });
  const answer = await askForWebSocket(serve.httpUrl, handshakeHead("/batches"));
  expect([answer.status, answer.body]).toEqual([501, expect.stringContaining("websocket_unsupported")]);
});

// Streams both ways: pieces come as they are made, a slow reader or an idle handler holds back its own stream alone, and
// memory stays within bounds. Streams through handles stand in composition-streams.test.ts.

import { get } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { afterAll, describe, expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import type { HandlerRequest } from "headgate";
import { type Protocol, ask } from "../support/http-client.ts";
import { openSocket, startInstance, waitFor } from "../support/instance.ts";
import { openHttp2 } from "../support/http2.ts";
import { FRAME, dialFrames, frame, headers, request, section } from "../support/http2-frames.ts";
import { OBSERVED_FILES, inFlight, noted, notesOf, observe } from "../support/observed.ts";

const instance = await startInstance({ files: OBSERVED_FILES, h2cPort: 0 });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await observe(instance);

/** Opens a request with an id of its own on a connection of its own. */
async function open(id: string, path: string, method = "GET", ...fields: string[]): Promise<Socket> {
  const socket = await openSocket(serve.httpUrl);
  socket.on("error", () => undefined);
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\nx-request-id: ${id}\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`);
  return socket;
}

/** Collects what a socket gets. */
function received(socket: Socket): { text: string } {
  const got = { text: "" };
  socket.on("data", (piece: Buffer) => (got.text += piece.toString("latin1")));
  return got;
}

test("pieces reach the caller as they are made, the first before the second exists", async () => {
  const socket = await open("ticks-1", "/observed/ticks?ms=50");
  const got = received(socket);
  await waitFor("the first piece", () => got.text.includes("tick 0"));
  expect(got.text).toContain("content-type: text/plain; charset=utf-8");
  expect(got.text).toMatch(/transfer-encoding: chunked/i);
  await waitFor("the third piece", () => got.text.includes("tick 2"));
  socket.destroy();
  await noted(instance, "the end", "ticks-1", (note) => note.ended === true);
});

test("what a handler yields without waiting comes as one piece, and a stream that is short as a whole answer", async () => {
  await serve.createBackend("bursts", async function* (request: HandlerRequest) {
    for (let n = 0; n < 100; n++) yield `token ${n} `;
    if (!request.url.endsWith("?more")) return;
    await new Promise((done) => setTimeout(done, 30));
    yield "end";
  });
  await serve.createEndpoint("bursts", { backend: "bursts", route: "/bursts" });
  const burst = Array.from({ length: 100 }, (_, n) => `token ${n} `).join("");
  const short = await instance.fetch("/bursts");
  expect([short.headers.get("content-length"), await short.text()]).toEqual([String(burst.length), burst]);
  const socket = await open("burst", "/bursts?more");
  const got = received(socket);
  await waitFor("the end", () => got.text.endsWith("0\r\n\r\n"));
  const [, body = ""] = got.text.split("\r\n\r\n", 2);
  expect(body.split("\r\n")).toEqual([burst.length.toString(16), burst, "3", "end", "0"]);
  socket.destroy();
});

test("server-sent events: the head comes at once, then each event; a caller who leaves ends the source", async () => {
  await serve.createBackend("events", (request: HandlerRequest) => {
    if (request.url.endsWith("?asked")) return { cancelled: Reflect.get(globalThis, "cancelled") ?? 0 };
    let event = 0;
    const body = new ReadableStream({
      pull: async (controller) => {
        // The first event takes its time: a browser calls the stream open before.
        await new Promise((done) => setTimeout(done, event === 0 ? 200 : 5));
        controller.enqueue(new TextEncoder().encode(`data: ${event++}\n\n`));
      },
      cancel: () => {
        Reflect.set(globalThis, "cancelled", Number(Reflect.get(globalThis, "cancelled") ?? 0) + 1);
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
  });
  await serve.createEndpoint("events", { backend: "events", route: "/events" });
  const socket = await open("events-1", "/events");
  const got = received(socket);
  await waitFor("the head", () => got.text.includes("\r\n\r\n"));
  expect(got.text).toContain("content-type: text/event-stream");
  expect(got.text).not.toContain("data:");
  await waitFor("the third event", () => got.text.includes("data: 2"));
  socket.destroy();
  await waitFor("the end of the source", async () => (await instance.text("/events?asked")) === '{"cancelled":1}');
});

const told: string[] = [];
afterAll(() => void process.stdout.write(`More memory, over all processes:\n${told.join("")}`));

/** Holds how much more memory there is than before, and tells it at the end. */
async function moreMemory(what: string, before: number, mostMiB: number): Promise<void> {
  const more = ((await memory()) - before) / (1024 * 1024);
  told.push(`  ${what}: ${more.toFixed(0)} MiB\n`);
  expect(more).toBeLessThan(mostMiB);
}

/** Memory of all bridges and replicas together, in bytes, as they report it every now and then. */
async function memory(): Promise<number> {
  const { bridges, replicas } = await serve.status();
  return [...bridges, ...replicas].reduce((sum, { memoryBytes }) => sum + (memoryBytes ?? 0), 0);
}

test("a reader that stops reading stops its own generator, and nobody else's; memory stays within bounds", async () => {
  const slow = await Promise.all(Array.from({ length: 20 }, (_, n) => open(`slow-${n}`, "/observed/endless")));
  for (const socket of slow) socket.pause();
  const bytesOf = async (): Promise<number> => {
    const { byId } = await notesOf(instance);
    return slow.reduce((sum, _, n) => sum + (byId[`slow-${n}`]?.bytes ?? 0), 0);
  };
  let before = -1;
  // What is between generator and reader fills up, and then nothing more is made.
  const made = await waitFor("a standstill", async () => {
    const now = await bytesOf();
    const still = now > 0 && now === before;
    before = now;
    if (!still) await new Promise((done) => setTimeout(done, 100));
    return still ? now : null;
  });
  // 256 KiB of credit a stream, and the buffers of two sockets, which the kernel lets grow to a few MiB.
  expect(made / slow.length).toBeLessThan(12 * 1024 * 1024);
  const still = await memory();

  // Others are served meanwhile, streams too.
  const quick = await open("quick", "/observed/ticks?ms=5");
  const got = received(quick);
  await waitFor("pieces of another stream", () => got.text.includes("tick 5"));
  quick.destroy();
  expect(await instance.text("/bursts?more")).toMatch(/end$/);
  await moreMemory("20 callers who read nothing of an endless answer, while others are served", still, 100);

  // Who reads again gets more.
  const [first] = slow;
  first?.resume();
  await waitFor("more of the first", async () => ((await notesOf(instance)).byId["slow-0"]?.bytes ?? 0) > 2 * (made / slow.length));
  for (const socket of slow) socket.destroy();
  for (const [n] of slow.entries()) await noted(instance, "the end", `slow-${n}`, (note) => note.ended === true);
});

describe("a reader that stops in the middle of many small pieces and some large ones", () => {
  const PIECES = 30_000;
  const LARGE = 20_000;
  /** Resolves when the handler has made pieces and makes no more for the moment. */
  async function standstill(path: string): Promise<void> {
    let before = -1;
    await waitFor("a standstill", async () => {
      const made = Number(await instance.text(path));
      const still = made > 0 && made === before;
      before = made;
      await new Promise((done) => setTimeout(done, 100));
      return still;
    });
  }
  const want = Array.from({ length: PIECES }, (_, n) => `${n}${n % 97 === 0 ? "x".repeat(LARGE) : ""}\n`).join("");

  test.each<Protocol>(["HTTP/1.1", "HTTP/2"])("gets all of it in order when it reads on, over %s", async (protocol) => {
    const name = protocol === "HTTP/2" ? "numbers-2" : "numbers-1";
    await serve.createBackend({
      name,
      handler: async function* (request: HandlerRequest) {
        if (request.url.endsWith("?made")) {
          yield String(Reflect.get(globalThis, "made") ?? 0);
          return;
        }
        for (let n = 0; n < Number(process.env.PIECES); n++) {
          Reflect.set(globalThis, "made", n);
          yield `${n}${n % 97 === 0 ? "x".repeat(Number(process.env.LARGE)) : ""}\n`;
          if (n % 5 === 0) await new Promise((done) => setImmediate(done));
        }
      },
      config: { env: { PIECES: String(PIECES), LARGE: String(LARGE) } },
    });
    await serve.createEndpoint(name, { backend: name, route: `/${name}` });
    let reader: Readable;
    let close = (): void => undefined;
    if (protocol === "HTTP/2") {
      const { session } = openHttp2(serve.h2cUrl ?? "");
      const stream = session.request({ ":path": `/${name}` });
      close = () => session.destroy();
      reader = stream;
    } else reader = await new Promise<Readable>((resolve) => get(`${serve.httpUrl}/${name}`, resolve));
    reader.pause();
    await standstill(`/${name}?made`);
    let text = "";
    for await (const piece of reader) text += String(piece);
    close();
    expect(text === want).toBe(true);
  });

  test("costs memory for its bytes, not for its pieces", async () => {
    await serve.createBackend("crumbs", async function* (request: HandlerRequest) {
      if (request.url.endsWith("?made")) {
        yield String(Reflect.get(globalThis, "made") ?? 0);
        return;
      }
      for (let n = 1; ; n++) {
        Reflect.set(globalThis, "made", Number(Reflect.get(globalThis, "made") ?? 0) + 1);
        yield "x";
        if (n % 5 === 0) await new Promise((done) => setImmediate(done));
      }
    });
    await serve.createEndpoint("crumbs", { backend: "crumbs", route: "/crumbs" });
    const before = await memory();
    const sockets = await Promise.all([1, 2, 3, 4].map((n) => open(`crumbs-${n}`, "/crumbs")));
    for (const socket of sockets) socket.pause();
    const { session } = openHttp2(serve.h2cUrl ?? "");
    const streams = [1, 2, 3, 4].map(() => session.request({ ":path": "/crumbs" }));
    for (const stream of streams) stream.on("error", () => undefined).pause();
    await standstill("/crumbs?made");
    await new Promise((done) => setTimeout(done, 2 * LIMITS.loadReportMs));
    await moreMemory("8 callers who read nothing of an answer in pieces of one byte", before, 100);
    for (const socket of sockets) socket.destroy();
    session.destroy();
  });
});

test("a body in pieces of one byte takes memory for its bytes, not for its pieces", async () => {
  // Less than a window, so that all of it gets through to the replica.
  const count = 260_000;
  const before = await memory();
  const uploads = await Promise.all(
    [1, 2, 3].map((n) => open(`tiny-${n}`, "/observed/unread", "POST", "transfer-encoding: chunked", "x-request-timeout: 60s")),
  );
  for (const socket of uploads) socket.write("1\r\nx\r\n".repeat(count));
  for (const n of [1, 2, 3]) await noted(instance, "the begin", `tiny-${n}`, (note) => note.begun === true);
  await waitFor("the last byte with the system", () => uploads.every((socket) => socket.writableLength === 0));
  // A second upload of the same kind is read to its end, behind the others.
  const read = await open("tiny-read", "/observed/read", "POST", "transfer-encoding: chunked");
  const got = received(read);
  read.write(`${"1\r\nx\r\n".repeat(count)}0\r\n\r\n`);
  await waitFor("its answer", () => got.text.endsWith(String(count)));
  await new Promise((done) => setTimeout(done, 2 * LIMITS.loadReportMs));
  await moreMemory("3 uploads of 260,000 pieces of one byte each, which nobody reads, beside one that is read", before, 150);
  for (const socket of [...uploads, read]) socket.destroy();
  for (const n of [1, 2, 3]) await noted(instance, "the end", `tiny-${n}`, (note) => note.ended === true);
});

test("bodies in pieces of one byte that wait for a replica take memory for their bytes too, over HTTP/1.1 and HTTP/2", async () => {
  await serve.createBackend({ name: "one", handler: "./observed.ts#Observed", config: { maxConcurrentQueries: 1 } });
  await serve.createEndpoint("one", { backend: "one", route: "/one/*", methods: ["GET", "POST"], requestTimeoutMs: 120_000 });
  const first = await open("one-first", "/one/hold");
  await waitFor("the first", async () => (await serve.status()).replicas.some((one) => one.backend === "one" && one.inFlight === 1));
  const before = await memory();
  const count = 60_000;
  const body = "1\r\nx\r\n".repeat(count);
  const uploads: Socket[] = [];
  for (let n = 0; n < 100; n++) {
    const socket = await open(`one-${n}`, "/one/read", "POST", "transfer-encoding: chunked");
    socket.write(body);
    uploads.push(socket);
  }
  const { socket: frames } = await dialFrames(serve.h2cUrl ?? "");
  uploads.push(frames);
  for (let stream = 1; stream < 100; stream += 2) {
    frames.write(headers(stream, section(...request("/one/read", "POST")), false));
    frames.write(Buffer.concat(Array(count).fill(frame(FRAME.data, 0, stream, Buffer.from("x")))));
  }
  await waitFor("the last byte with the system", () => uploads.every((socket) => socket.writableLength === 0));
  await new Promise((done) => setTimeout(done, 2 * LIMITS.loadReportMs));
  await moreMemory("150 uploads of 60,000 pieces of one byte each, which wait for a replica", before, 150);
  for (const socket of [...uploads, first]) socket.destroy();
});

test("a handler that does not read holds back its caller and no one else, and gets all when it reads", async () => {
  const size = 64 * 1024 * 1024;
  await serve.updateEndpoint("observed", { maxBodyBytes: size });
  const stuck = await open("unread", "/observed/unread", "POST", `content-length: ${size}`, "x-request-timeout: 3s");
  stuck.write(Buffer.alloc(size));
  await noted(instance, "the begin", "unread", (note) => note.begun === true);
  await waitFor("a standstill", async () => {
    const before = stuck.bytesWritten - stuck.writableLength;
    await new Promise((done) => setTimeout(done, 200));
    return before === stuck.bytesWritten - stuck.writableLength;
  });
  expect(stuck.writableLength).toBeGreaterThan(0);

  const answer = await instance.fetch("/observed/read", { method: "POST", body: Buffer.alloc(size) });
  expect(await answer.text()).toBe(String(size));
  // That a caller has left stands behind what nobody reads, where that is more than is read ahead: the deadline ends it at the latest.
  stuck.destroy();
  expect((await noted(instance, "the abort", "unread", (note) => note.aborted !== undefined)).aborted).toBe("deadline_exceeded");
});

test("a handler that reads late gets every byte of what was read ahead of it, in order", async () => {
  await serve.createBackend("late", async (request: HandlerRequest) => {
    await new Promise((done) => setTimeout(done, 300));
    const bytes = new Uint8Array(await request.arrayBuffer());
    let wrong = 0;
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== (i * 7 + (i >> 12)) % 256) wrong++;
    return { length: bytes.length, wrong };
  });
  await serve.createEndpoint("late", { backend: "late", route: "/late", methods: ["POST"] });
  const lengths = [300_000, 2_000_000, 9_000_000];
  const answers = lengths.map(async (length) => {
    const body = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 12)) % 256);
    return (await instance.fetch("/late", { method: "POST", body })).json();
  });
  expect(await Promise.all(answers)).toEqual(lengths.map((length) => ({ length, wrong: 0 })));
});

test("over HTTP/2 a caller who leaves is noticed whatever its upload, which nobody reads", async () => {
  await using client = openHttp2(serve.h2cUrl ?? "");
  const stream = client.session.request({ ":method": "POST", ":path": "/observed/unread", "x-request-id": "unread-2" });
  stream.on("error", () => undefined);
  stream.write(Buffer.alloc(16 * 1024 * 1024));
  await noted(instance, "the begin", "unread-2", (note) => note.begun === true);
  stream.close(8);
  expect((await noted(instance, "the abort", "unread-2", (note) => note.aborted !== undefined)).aborted).toBe("cancelled");
});

test("a handler answers without reading the body: the answer comes, and nothing of the rest is left anywhere", async () => {
  await serve.createBackend("hasty", () => "answered");
  await serve.createEndpoint("hasty", { backend: "hasty", route: "/hasty", methods: ["POST"] });
  for (let round = 0; round < 3; round++) {
    const socket = await open(`hasty-${round}`, "/hasty", "POST", "transfer-encoding: chunked");
    const got = received(socket);
    socket.write("5\r\nhello\r\n");
    await waitFor("the answer", () => got.text.includes("answered"));
    expect(got.text).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  }
  await waitFor("the end of all requests", async () => (await inFlight(instance)) === 0);
});

test("bodies stream both ways at once: each piece comes back before the next is sent", async () => {
  await serve.createBackend("echo", (request: HandlerRequest) => request.body);
  await serve.createEndpoint("echo", { backend: "echo", route: "/echo", methods: ["POST"] });
  const socket = await open("both", "/echo", "POST", "transfer-encoding: chunked");
  const got = received(socket);
  for (const word of ["one", "three", "seven"]) {
    socket.write(`${word.length.toString(16)}\r\n${word}\r\n`);
    await waitFor(`"${word}" back`, () => got.text.includes(word));
  }
  socket.write("0\r\n\r\n");
  await waitFor("the end", () => got.text.endsWith("0\r\n\r\n"));
  socket.destroy();
});

test("request.body can be looked at, and read as a whole or by pieces, but not twice", async () => {
  await serve.createBackend("twice", async (request: HandlerRequest) => {
    const { body } = request;
    const looked = [body !== null, request.body === body, request.bodyUsed];
    const text = await request.text();
    const again = await request.text().catch((error: unknown) => (error instanceof TypeError ? "TypeError" : "other"));
    return [...looked, text, request.bodyUsed, again];
  });
  await serve.createEndpoint("twice", { backend: "twice", route: "/twice", methods: ["POST"] });
  const answer = await instance.fetch("/twice", { method: "POST", body: "hello" });
  expect(await answer.json()).toEqual([true, true, false, "hello", true, "TypeError"]);
});

test.each<Protocol>(["HTTP/1.1", "HTTP/2"])(
  "a handler reads trailers and sends some, whole answers and streams alike, over %s",
  async (protocol) => {
    const name = protocol === "HTTP/2" ? "trailers-2" : "trailers-1";
    await serve.createBackend(name, async (request: HandlerRequest) => {
      const text = await request.text();
      const sum = (await request.trailers).get("x-sum");
      request.setTrailer("x-length", String(text.length));
      if (!request.url.endsWith("?stream")) return `sum ${sum}`;
      return (async function* () {
        yield `sum ${sum}`;
        await new Promise((done) => setTimeout(done, 5));
        request.setTrailer("x-late", "yes");
      })();
    });
    await serve.createEndpoint(name, { backend: name, route: `/${name}`, methods: ["POST"] });
    const urls = { "HTTP/1.1": serve.httpUrl, "HTTP/2": serve.h2cUrl ?? "" };
    for (const query of ["", "?stream"]) {
      const { status, body, trailers } = await ask(protocol, urls, {
        method: "POST",
        path: `/${name}${query}`,
        fields: ["te", "trailers"],
        body: "hello",
        trailers: { "x-sum": "7" },
      });
      expect({ status, body }).toEqual({ status: 200, body: "sum 7" });
      expect(trailers).toMatchObject({ "x-length": "5", ...(query === "" ? {} : { "x-late": "yes" }) });
    }
  },
);

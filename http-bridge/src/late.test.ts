// Requests that do not come in time: the head, a small body as a whole, and any other body of which nothing comes any more.

import { afterEach, describe, expect, test } from "@jest/globals";
import { type Call, type LiveEndpoint, Router } from "@headgate/client/data-plane";
import { atEnd, closeAll, dial, dialHttp2, listen, until } from "./testing/listening.ts";

afterEach(closeAll);

test("a head that does not come in time is 408, and its connection is closed", async () => {
  const { httpPort } = await listen({ bodyTimeoutMs: 400 });
  const slow = await dial(httpPort);
  slow.socket.write("GET /-/healthz HTTP/1.1\r\nhos");
  await slow.closed;
  expect(slow.text()).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request_timeout","limit":"headerTimeoutMs"/);
});

test("a head that comes a byte at a time is 408 too", async () => {
  const { httpPort } = await listen({ headerTimeoutMs: 500, bodyTimeoutMs: 1_000 });
  const slow = await dial(httpPort);
  const bytes = "GET /-/healthz HTTP/1.1\r\nhost: x\r\nx-pad: ".split("");
  const trickle = setInterval(() => slow.socket.write(bytes.shift() ?? "x"), 50);
  atEnd(() => clearInterval(trickle));
  await slow.closed;
  expect(slow.text()).toMatch(/^HTTP\/1\.1 408 /);
});

test("a body that does not come in time is 408, and its connection is closed", async () => {
  const { httpPort } = await listen({ headerTimeoutMs: 200, bodyTimeoutMs: 400 });
  const slow = await dial(httpPort);
  slow.socket.write("POST /post HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
  await slow.closed;
  expect(slow.text()).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request_timeout","limit":"bodyTimeoutMs"/);
});

test("over HTTP/2, a body that does not come in time is 408, and other streams go on", async () => {
  const { h2cPort } = await listen({ bodyTimeoutMs: 300 });
  const { session } = await dialHttp2(h2cPort);
  const slow = session.request({ ":method": "POST", ":path": "/post", "content-length": 10 });
  slow.on("error", () => undefined);
  slow.write("half");
  expect(await new Promise((resolve) => slow.once("response", (fields) => resolve(fields[":status"])))).toBe(408);
  const other = session.request({ ":path": "/-/healthz" });
  expect(await new Promise((resolve) => other.once("response", (fields) => resolve(fields[":status"])))).toBe(200);
});

/** Stands in for replicas: takes what is given of a body, or lets it wait. */
class Taker extends Router {
  call: Call | null = null;
  takes = true;
  bytes = 0;

  override dispatch(_: LiveEndpoint, call: Call): void {
    this.call = call;
  }

  override giveBody(call: Call, piece: Buffer | null, end: boolean): void {
    if (piece !== null) call.give(piece);
    if (end) call.bodyEnded = true;
    if (this.takes) this.take();
  }

  take(): void {
    const { call } = this;
    if (call === null) return;
    this.bytes += call.unsentBytes;
    call.pieces = [];
    if (!call.bodyEnded) call.sink.writable();
  }

  answer(): void {
    this.call?.sink.head(200, [], Buffer.from("answer"), true, 0);
  }
}

describe("a body that is handed on as it comes", () => {
  const LATE_MS = 300;

  test("is 408 where nothing of it has come for bodyTimeoutMs", async () => {
    const router = new Taker();
    const { httpPort, h2cPort } = await listen({ bodyTimeoutMs: LATE_MS }, 0, router);
    const slow = await dial(httpPort);
    slow.socket.write("POST /post HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    await slow.closed;
    expect(slow.text()).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request_timeout","limit":"bodyTimeoutMs"/);
    const { session } = await dialHttp2(h2cPort);
    const stream = session.request({ ":method": "POST", ":path": "/post" });
    stream.on("error", () => undefined);
    stream.write("half");
    expect(await new Promise((resolve) => stream.once("response", (fields) => resolve(fields[":status"])))).toBe(408);
  });

  test("may take longer than that as a whole, as long as some of it comes", async () => {
    const router = new Taker();
    const { httpPort, h2cPort } = await listen({ bodyTimeoutMs: LATE_MS }, 0, router);
    const began = performance.now();
    const { socket, text } = await dial(httpPort);
    socket.write("POST /post HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    // Node's own count ends at the first of its looks, each second.
    while (performance.now() - began < LATE_MS + 2_500) {
      socket.write("1\r\nx\r\n");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    socket.write("0\r\n\r\n");
    await until(() => router.call?.bodyEnded === true);
    router.answer();
    await until(() => text().endsWith("answer"));
    expect(router.bytes).toBeGreaterThan(10);

    const { session } = await dialHttp2(h2cPort);
    const stream = session.request({ ":method": "POST", ":path": "/post" });
    const asked = performance.now();
    while (performance.now() - asked < 3 * LATE_MS) {
      stream.write("x");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    stream.end();
    await until(() => router.call?.bodyEnded === true);
    router.answer();
    expect(await new Promise((resolve) => stream.once("response", (fields) => resolve(fields[":status"])))).toBe(200);
  });

  test.each(["HTTP/1.1", "HTTP/2"])("is not late where the handler does not take it, over %s", async (protocol) => {
    const router = new Taker();
    const { httpPort, h2cPort } = await listen({ bodyTimeoutMs: LATE_MS }, 0, router);
    router.takes = false;
    // More than is read ahead.
    const size = 6_000_000;
    let status = 0;
    if (protocol === "HTTP/1.1") {
      const { socket, text } = await dial(httpPort);
      socket.write(`POST /post HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size));
      socket.on("data", () => (status = Number(text().slice(9, 12))));
    } else {
      const { session } = await dialHttp2(h2cPort);
      const stream = session.request({ ":method": "POST", ":path": "/post", "content-length": size });
      stream.on("error", () => undefined);
      stream.end(Buffer.alloc(size));
      stream.once("response", (fields) => (status = Number(fields[":status"])));
    }
    await until(() => (router.call?.pieces.length ?? 0) > 0);
    await new Promise((resolve) => setTimeout(resolve, LATE_MS + 2_500));
    expect(status).toBe(0);
    router.takes = true;
    router.take();
    await until(() => router.call?.bodyEnded === true);
    expect(router.bytes).toBe(size);
    router.answer();
    await until(() => status === 200);
  });

  test.each(["HTTP/1.1", "HTTP/2"])("is not late once its answer has begun, over %s", async (protocol) => {
    const router = new Taker();
    const { httpPort, h2cPort } = await listen({ bodyTimeoutMs: LATE_MS }, 0, router);
    let text = "";
    let more: (last: string) => void;
    if (protocol === "HTTP/1.1") {
      const { socket } = await dial(httpPort);
      socket.on("data", (piece) => (text += piece.toString("latin1")));
      socket.write("POST /post HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
      more = (last) => socket.write(`${last.length.toString(16)}\r\n${last}\r\n0\r\n\r\n`);
    } else {
      const { session } = await dialHttp2(h2cPort);
      const stream = session.request({ ":method": "POST", ":path": "/post" });
      stream.on("error", () => undefined);
      stream.on("data", (piece) => (text += String(piece)));
      stream.write("half");
      more = (last) => stream.end(last);
    }
    await until(() => router.bytes === 4);
    router.call?.sink.head(200, [], Buffer.from("first"), false, 0);
    router.call?.sink.release();
    await until(() => text.includes("first"));
    await new Promise((resolve) => setTimeout(resolve, LATE_MS + 2_500));
    more("more");
    await until(() => router.call?.bodyEnded === true);
    expect(router.bytes).toBe(8);
    router.call?.sink.body(Buffer.from("last"), true, []);
    router.call?.sink.release();
    await until(() => text.includes("last"));
  });
});

// Callers that are slow, silent or too many, on real sockets and with short times: answers that are not taken, connections that say
// nothing or are beyond the limit. Every one of them is told, or ended, and leaves room for the next.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import { atEnd, closeAll, dial, dialHttp2, listen, until } from "./testing/listening.ts";

afterEach(closeAll);

test("a connection that asks for nothing is closed after keepAliveTimeoutMs, over HTTP/2 with a GOAWAY", async () => {
  const { httpPort, h2cPort } = await listen({ keepAliveTimeoutMs: 300 });
  const idle = await dial(httpPort);
  idle.socket.write("GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  await idle.closed;
  expect(idle.text()).toMatch(/^HTTP\/1\.1 200 /);
  const { session, closed } = await dialHttp2(h2cPort);
  const told = new Promise((resolve) => session.once("goaway", resolve));
  await told;
  await closed;
});

test("a connection that never says a word is closed after headerTimeoutMs", async () => {
  const { httpPort } = await listen({ headerTimeoutMs: 300 });
  const [one, other] = [await dial(httpPort), await dial(httpPort)];
  await Promise.all([one.closed, other.closed]);
  const next = await dial(httpPort);
  next.socket.write("GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(() => next.text().startsWith("HTTP/1.1 200 "));
});

test("a connection that does not begin HTTP/2 is closed after headerTimeoutMs", async () => {
  const { h2cPort } = await listen({ headerTimeoutMs: 300 });
  const silent = await dial(h2cPort);
  const half = await dial(h2cPort);
  half.socket.write("PRI * HTTP/2.0\r\n");
  await Promise.all([silent.closed, half.closed]);
});

test("a caller that takes nothing of its answers is given up after sendTimeoutMs, and no other is", async () => {
  const { httpPort } = await listen({ sendTimeoutMs: 400, connections: 2 }, 900);
  const slow = await dial(httpPort);
  slow.socket.pause();
  // Answers that no buffer of the system holds.
  for (let round = 0; round < 90; round += 1) slow.socket.write("GET /-/routes HTTP/1.1\r\nhost: x\r\n\r\n");
  const quick = await dial(httpPort);
  const pings = setInterval(() => quick.socket.write("GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n"), 50);
  atEnd(() => clearInterval(pings));
  // Its connection makes room for another.
  const further = async (): Promise<string> => {
    const { socket, text } = await dial(httpPort);
    socket.write("GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    await until(() => text() !== "" || socket.destroyed);
    return text();
  };
  let answer = "";
  while (answer === "") answer = await further();
  slow.socket.resume();
  await slow.closed;
  const answers = quick.text().match(/HTTP\/1\.1 200/g)?.length ?? 0;
  expect(answers).toBeGreaterThan(2);
  expect(slow.text().match(/HTTP\/1\.1 200/g)?.length ?? 0).toBeLessThan(90);
  expect(quick.socket.destroyed).toBe(false);
});

test("a connection whose caller was slow to take the last answer is idle like any other once it has it", async () => {
  const { httpPort } = await listen({ sendTimeoutMs: 5_000, keepAliveTimeoutMs: 300 });
  const accepted: Socket[] = [];
  // What Node's documentation says of this channel.
  const take = (message: unknown): void => void accepted.push((message as { readonly socket: Socket }).socket);
  subscribe("net.server.socket", take);
  const slow = await dial(httpPort);
  await until(() => accepted.length > 0);
  unsubscribe("net.server.socket", take);
  slow.socket.write("GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(() => slow.text().includes("ok"));
  // More than the buffers of the system hold, as if it were the end of the answer.
  slow.socket.pause();
  accepted[0]?.write(Buffer.alloc(32 * 1024 * 1024));
  await until(() => accepted[0]?.timeout === 5_000);
  slow.socket.resume();
  await slow.closed;
});

test("over HTTP/2 its stream is reset, and its connection stays", async () => {
  const { h2cPort } = await listen({ sendTimeoutMs: 300 }, 900);
  const session = connectHttp2(`http://127.0.0.1:${h2cPort}`, { settings: { initialWindowSize: 1_000 } });
  atEnd(() => session.destroy());
  session.on("error", () => undefined);
  const stalled = session.request({ ":path": "/-/routes" });
  stalled.on("error", () => undefined);
  await new Promise((resolve) => stalled.once("close", resolve));
  expect(stalled.rstCode).toBe(8);
  const other = session.request({ ":path": "/-/healthz" });
  expect(await new Promise((resolve) => other.once("response", (fields) => resolve(fields[":status"])))).toBe(200);
});

test("an HTTP/2 stream that ends without an error before its body was taken leaves nothing behind", async () => {
  const { h2cPort } = await listen({ keepAliveTimeoutMs: 300 });
  const { session } = await dialHttp2(h2cPort);
  const told = new Promise((resolve) => session.once("goaway", resolve));
  const pinged = (): Promise<void> => new Promise((resolve) => void session.ping(() => resolve()));
  for (let count = 0; count < 3; count++) {
    const held = session.request({ ":method": "POST", ":path": "/post" });
    held.on("error", () => undefined);
    held.write(Buffer.alloc(100_000));
    await pinged();
    held.close(0);
  }
  // Its connection counts as idle.
  await told;
});

test("as many connections as the limit are served, over all listeners together, and one more is closed", async () => {
  const { httpPort, h2cPort } = await listen({ connections: 5 });
  const asked = async (): Promise<string> => {
    const { socket, text } = await dial(httpPort);
    socket.write("GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    await until(() => text() !== "" || socket.destroyed);
    return text().slice(0, 12);
  };
  for (let count = 0; count < 3; count += 1) expect(await asked()).toBe("HTTP/1.1 200");
  const first = await dialHttp2(h2cPort);
  const { session } = first;
  expect(await asked()).toBe("HTTP/1.1 200");
  expect(await asked()).toBe("");
  const refused = await dial(h2cPort);
  await refused.closed;
  // One that leaves makes room.
  session.destroy();
  await first.closed;
  let again = "";
  while (again === "") again = await asked();
  expect(again).toBe("HTTP/1.1 200");
});

test("a refused body is dropped until the caller has its answer, so that no reset takes it away", async () => {
  const { httpPort } = await listen();
  for (let round = 0; round < 5; round += 1) {
    const { socket, text, closed } = await dial(httpPort);
    socket.write(`POST /post HTTP/1.1\r\nhost: x\r\ncontent-length: ${64 * 1024 * 1024}\r\n\r\n`);
    const piece = Buffer.alloc(64 * 1024);
    // It looks at what came only after having sent a good part of it.
    socket.pause();
    for (let sent = 0; sent < 200; sent += 1) {
      if (!socket.write(piece)) await Promise.race([closed, new Promise((resolve) => socket.once("drain", resolve))]);
    }
    socket.resume();
    socket.end();
    await closed;
    expect(text()).toMatch(/^HTTP\/1\.1 413 [^]*"limit":"maxBodyBytes"/);
  }
});

test("what follows on the connection of a request whose body was refused is not answered", async () => {
  const { httpPort } = await listen();
  const { socket, text, closed } = await dial(httpPort);
  const get = "GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n";
  socket.write(`POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n`);
  await until(() => text().includes("}\n"));
  socket.write(`0123456789${get}`);
  socket.end();
  await closed;
  expect(text().match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
});

test("a connection whose request was malformed ends, also where its caller keeps it open", async () => {
  const { httpPort } = await listen();
  const { socket, text, closed } = await dial(httpPort);
  socket.write("nonsense\r\n\r\n");
  await until(() => text().includes("}\n"));
  socket.write("more nonsense\r\n\r\n");
  await closed;
  expect(text().match(/HTTP\/1\.1 400/g)).toHaveLength(1);
});

test("many requests one after another on one connection are all answered, with and without a body", async () => {
  const { httpPort } = await listen({}, 1);
  const { socket, text } = await dial(httpPort);
  const answers = (): number => text().split("HTTP/1.1 ").length - 1;
  for (let asked = 1; asked <= 5 * LIMITS.pipelinedRequests; asked++) {
    socket.write(`${asked % 2 === 0 ? "GET /-/healthz" : "GET /nowhere"} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await until(() => answers() >= asked);
  }
  expect(answers()).toBe(5 * LIMITS.pipelinedRequests);
});

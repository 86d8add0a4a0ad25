// WebSockets of a replica in another language, which knows the contract alone: what works, and what a caller sees where the replica
// breaks it. The ways themselves stand in ../support/socket-replica.ts.

import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { REPOSITORY, startInstance } from "../support/instance.ts";
import { askForWebSocket, handshakeHead, openWebSocket } from "../support/websocket.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

const program = join(REPOSITORY, "test", "support", "socket-replica.ts");
for (const kind of ["session", "unary"]) {
  await serve.createBackend(kind, { command: [process.execPath, program, kind] });
  await serve.createEndpoint(kind, { backend: kind, route: `/${kind}/*`, requestTimeoutMs: 5_000 });
}

const open = (path: string) => openWebSocket(serve.httpUrl, path);

test("it echoes more than all credit in small and large messages, in order", async () => {
  const talk = await open("/session/echo");
  const sizes = [0, 1, 65_536, 65_537, 1_048_576, 200_000, 3];
  for (const [index, size] of sizes.entries()) talk.ws.send(index % 2 === 0 ? "ü".repeat(size / 2) : Buffer.alloc(size, index));
  for (const [index, size] of sizes.entries()) {
    const message = await talk.next();
    expect([typeof message === "string", Buffer.byteLength(message)]).toEqual([
      index % 2 === 0,
      index % 2 === 0 ? 2 * Math.floor(size / 2) : size,
    ]);
  }
  for (let i = 0; i < 20_000; i++) talk.ws.send("");
  for (let i = 0; i < 20_000; i++) expect(await talk.next()).toBe("");
  talk.ws.close(4_123, "bye");
  expect(await talk.closed).toEqual({ code: 4_123, reason: "bye" });
});

test("pieces of a message reach the caller as one message, and its close with code and reason", async () => {
  const talk = await open("/session/pieces");
  expect(await talk.next()).toBe("über");
  expect(Buffer.byteLength(await talk.next())).toBe(65_536);
  expect(await talk.closed).toEqual({ code: 4_000, reason: "fine" });
});

test.each([
  ["an end without a close", "end-alone", 1000, ""],
  ["a close that is followed by the end", "close-then-end", 4_001, "later"],
  ["a close without a code", "close-without-code", 1005, ""],
  ["a fault", "fault", 1011, "handler_error"],
])("%s reaches the caller as %s", async (_what, way, code, reason) => {
  expect(await (await open(`/session/${way}`)).closed).toEqual({ code, reason });
});

test.each([
  ["another WebSocket on the same request", "twice"],
  ["an answer of HTTP", "answered"],
  ["bytes that are part of no message", "body"],
  ["a binary message within a text one", "mixed"],
  ["a close with a code that stands for none", "bad-close"],
  ["a close of one byte", "short-close"],
])("after it has accepted, %s is a close 1014, and the next connection works", async (_what, way) => {
  expect(await (await open(`/session/${way}`)).closed).toEqual({ code: 1014, reason: "replica_protocol" });
  const talk = await open("/session/echo");
  talk.ws.send("well");
  expect(await talk.next()).toBe("well");
  talk.ws.close();
});

test.each([
  ["a message before anything else", "early"],
  ["a subprotocol that the caller does not offer", "protocol"],
  ["a field that cannot be sent", "field"],
  ["an accept that is an end", "accept-and-end"],
])("instead of accepting, %s is a 502", async (_what, way) => {
  const answer = await askForWebSocket(serve.httpUrl, handshakeHead(`/session/${way}`, ["sec-websocket-protocol: v1"]));
  expect([answer.status, answer.body]).toEqual([502, expect.stringContaining("replica_protocol")]);
});

test("an accept where no WebSocket was asked for is a 502", async () => {
  expect((await instance.fetch("/session/echo")).status).toBe(502);
});

test("a replica without Session takes no WebSockets, and a 501 says so", async () => {
  const answer = await askForWebSocket(serve.httpUrl, handshakeHead("/unary/echo"));
  expect([answer.status, answer.body]).toEqual([501, expect.stringContaining("websocket_unsupported")]);
});

// WebSockets from callers that keep to no rule: malformed frames, each with the close it gets, and handshakes that are refused.
// After each of them the next connection works.

import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { askRaw } from "../support/raw-http.ts";
import { openSocket, startInstance, waitFor } from "../support/instance.ts";
import { type FrameInit, closeFrame, frame, readFrames } from "../support/frames.ts";
import { askForWebSocket, handshakeHead, openWebSocket } from "../support/websocket.ts";

const MIB = 1024 * 1024;

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend("echo", async (request: HandlerRequest) => {
  if (!request.isWebSocket) return "plain";
  const socket = request.acceptWebSocket();
  for await (const message of socket) await socket.send(message);
  return undefined;
});
await serve.createEndpoint("echo", { backend: "echo", route: "/echo", methods: ["GET", "POST"] });
await serve.createEndpoint("post", { backend: "echo", route: "/post", methods: ["POST"] });
await serve.createEndpoint("app", {
  backend: "echo",
  route: "/app",
  cors: { origins: ["https://app.example", "http://other.example:81"] },
});
await serve.createEndpoint("open", { backend: "echo", route: "/open", cors: { origins: "*" } });

/** Opens a connection by hand, sends bytes, and resolves with all that comes behind the handshake until the server closes. */
async function sendBytes(...pieces: readonly Buffer[]): Promise<Buffer> {
  const socket = await openSocket(serve.httpUrl);
  const seen: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("data", (piece: Buffer) => seen.push(piece));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      const all = Buffer.concat(seen);
      const end = all.indexOf("\r\n\r\n");
      expect(all.toString("latin1", 0, 12)).toBe("HTTP/1.1 101");
      resolve(all.subarray(end + 4));
    });
    socket.write(handshakeHead("/echo"));
    for (const piece of pieces) socket.write(piece);
  });
}

/** The code with which the server closed; null: it did not say. */
function closeCode(bytes: Buffer): number | null {
  const last = readFrames(bytes).at(-1);
  return last?.opcode === 8 && last.payload.length >= 2 ? last.payload.readUInt16BE(0) : null;
}

const bytes = (...list: number[]): Buffer => Buffer.from(list);
const begun: FrameInit = { fin: false, payload: "begun" };

test.each<[string, number, readonly Buffer[]]>([
  ["text without a mask", 1002, [frame({ masked: false, payload: "x" })]],
  ["a ping without a mask", 1002, [frame({ masked: false, opcode: 9 })]],
  ["a close without a mask", 1002, [frame({ masked: false, opcode: 8 })]],
  ["the first reserved bit, as no compression was agreed on", 1002, [frame({ rsv: 4, payload: "x" })]],
  ["the second reserved bit", 1002, [frame({ rsv: 2, payload: "x" })]],
  ["the third reserved bit", 1002, [frame({ rsv: 1, payload: "x" })]],
  ["a reserved bit in a ping", 1002, [frame({ rsv: 4, opcode: 9 })]],
  ["opcode 3", 1002, [frame({ opcode: 3 })]],
  ["opcode 7", 1002, [frame({ opcode: 7 })]],
  ["opcode 11", 1002, [frame({ opcode: 11 })]],
  ["opcode 15", 1002, [frame({ opcode: 15 })]],
  ["a continuation of nothing", 1002, [frame({ opcode: 0, payload: "x" })]],
  ["a continuation after a whole message", 1002, [frame({ payload: "x" }), frame({ opcode: 0, payload: "x" })]],
  ["a text message within another", 1002, [frame(begun), frame({ payload: "x" })]],
  ["a binary message within a text one", 1002, [frame(begun), frame({ opcode: 2, payload: "x" })]],
  ["a ping in fragments", 1002, [frame({ opcode: 9, fin: false })]],
  ["a pong in fragments", 1002, [frame({ opcode: 10, fin: false })]],
  ["a close in fragments", 1002, [frame({ opcode: 8, fin: false })]],
  ["a ping of 126 bytes", 1002, [frame({ opcode: 9, payload: Buffer.alloc(126) })]],
  ["a close of 126 bytes", 1002, [closeFrame(1000, "x".repeat(124))]],
  ["a close of one byte", 1002, [frame({ opcode: 8, payload: bytes(3) })]],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code): [string, number, readonly Buffer[]] => [
    `a close with code ${code}`,
    1002,
    [closeFrame(code)],
  ]),
  ["a close whose reason is no UTF-8", 1007, [closeFrame(1000, bytes(0xff))]],
  ["text that is no UTF-8", 1007, [frame({ payload: bytes(0xff, 0xfe) })]],
  ["text with an overlong form", 1007, [frame({ payload: bytes(0xc0, 0x80) })]],
  ["text with half of a surrogate pair", 1007, [frame({ payload: bytes(0xed, 0xa0, 0x80) })]],
  ["text beyond the last character", 1007, [frame({ payload: bytes(0xf4, 0x90, 0x80, 0x80) })]],
  ["text that ends within a character", 1007, [frame({ payload: bytes(0xe2, 0x82) })]],
  ["text whose fragments make no UTF-8", 1007, [frame({ fin: false, payload: bytes(0xe2) }), frame({ opcode: 0, payload: "x" })]],
  ["a length of 2^63", 1009, [frame({ length: 1n << 63n })]],
  ["a length of 2^53", 1009, [frame({ opcode: 2, length: 1n << 53n })]],
  ["the announcement of a byte more than the limit", 1009, [frame({ length: BigInt(MIB) + 1n })]],
  [
    "fragments of a byte more than the limit",
    1009,
    [frame({ fin: false, payload: Buffer.alloc(MIB) }), frame({ opcode: 0, payload: "x" })],
  ],
  ["a message in 16,385 fragments", 1008, [frame(begun), Buffer.concat(Array(16_384).fill(frame({ opcode: 0, fin: false })))]],
  ["a request of HTTP instead of a frame", 1002, [Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n")]],
])("%s is closed with %i, and the next connection works", async (_what, code, pieces) => {
  expect(closeCode(await sendBytes(...pieces))).toBe(code);
  const talk = await openWebSocket(serve.httpUrl, "/echo");
  talk.ws.send("well");
  expect(await talk.next()).toBe("well");
  talk.ws.close(1000);
  expect((await talk.closed).code).toBe(1000);
});

test("a message in 16,384 fragments is taken", async () => {
  const middle = Buffer.concat(Array(16_382).fill(frame({ opcode: 0, fin: false })));
  const seen = readFrames(await sendBytes(frame(begun), middle, frame({ opcode: 0, payload: "!" }), closeFrame(1000, "")));
  // The echo may come too late for its caller, who has closed.
  expect(seen.at(-1)?.payload.readUInt16BE(0)).toBe(1000);
});

test("frames behind a close are passed over, and so are pings", async () => {
  const seen = readFrames(
    await sendBytes(frame({ payload: "one" }), closeFrame(4000, "end"), frame({ payload: "two" }), frame({ opcode: 9 })),
  );
  // The echo may come too late for its caller, who has closed.
  const last = seen.at(-1);
  expect([last?.opcode, last?.payload.readUInt16BE(0), last?.payload.toString("utf8", 2)]).toEqual([8, 4000, "end"]);
  expect(seen.length).toBeLessThanOrEqual(2);
});

test("frames that come byte by byte, and those that come before the handshake is answered, are read like any other", async () => {
  const all = Buffer.concat([
    frame({ payload: "grüße" }),
    frame({ opcode: 9, payload: "p" }),
    frame({ opcode: 2, payload: Buffer.alloc(300) }),
  ]);
  const socket = await openSocket(serve.httpUrl);
  socket.setNoDelay(true);
  let seen = Buffer.alloc(0);
  socket.on("data", (piece: Buffer) => {
    seen = Buffer.concat([seen, piece]);
  });
  socket.write(Buffer.concat([Buffer.from(handshakeHead("/echo")), all.subarray(0, 3)]));
  for (const byte of all.subarray(3)) {
    socket.write(Buffer.from([byte]));
    await new Promise((done) => setImmediate(done));
  }
  const frames = await waitFor("both echoes and the pong", () => {
    const behind = seen.subarray(seen.indexOf("\r\n\r\n") + 4);
    const read = seen.includes("\r\n\r\n") ? readFrames(behind) : [];
    return read.length === 3 ? read : null;
  });
  const sizes = frames.map(({ opcode, payload }) => [opcode, payload.length] as const);
  expect(sizes.sort(([one], [other]) => one - other)).toEqual([
    [1, 7],
    [2, 300],
    [10, 1],
  ]);
  socket.destroy();
});

test.each<[string, readonly string[], number, string]>([
  ["a key that is none", ["sec-websocket-key: x"], 400, "malformed_request"],
  ["two keys", ["sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="], 400, "malformed_request"],
  ["a route that there is not", [], 404, "route_not_found"],
  ["a header field that could be read in two ways", ["host: other"], 400, "malformed_request"],
  ["a page of another host", ["origin: http://evil.example"], 403, "origin_not_allowed"],
  ["a page of another port of the host", ["origin: http://headgate:81"], 403, "origin_not_allowed"],
  ["a page without an origin of its own", ["origin: null"], 403, "origin_not_allowed"],
  ["a page of a host that begins alike", ["origin: http://headgate.evil.example"], 403, "origin_not_allowed"],
])("a handshake with %s is refused over HTTP", async (what, fields, status, code) => {
  const path = what.includes("route") ? "/nowhere" : "/echo";
  const answer = await askForWebSocket(serve.httpUrl, handshakeHead(path, fields));
  expect([answer.status, answer.headers.get("content-type"), JSON.parse(answer.body)]).toEqual([
    status,
    "application/problem+json",
    expect.objectContaining({ code, requestId: answer.headers.get("x-request-id") }),
  ]);
});

test.each([
  ["another than 13", (head: string) => head.replace("version: 13", "version: 8")],
  ["none", (head: string) => head.replace("sec-websocket-version: 13\r\n", "")],
])("a WebSocket of version %s is a 426 that names the right one", async (_what, change) => {
  const answer = await askForWebSocket(serve.httpUrl, change(handshakeHead("/echo")));
  const { headers } = answer;
  expect([answer.status, headers.get("sec-websocket-version"), headers.get("upgrade")]).toEqual([426, "13", "websocket"]);
});

test.each([
  ["/echo", "http://headgate", 101],
  ["/echo", "https://headgate", 101],
  ["/echo", "HTTP://HEADGATE:80", 101],
  ["/app", "https://app.example", 101],
  ["/app", "http://other.example:81", 101],
  ["/app", "http://other.example", 403],
  ["/app", "http://app.example", 403],
  ["/open", "http://evil.example", 101],
])("to %s, a page of %s gets %i", async (path, origin, status) => {
  const socket = await openSocket(serve.httpUrl);
  socket.write(handshakeHead(path, [`origin: ${origin}`]));
  const [piece] = await new Promise<Buffer[]>((resolve) => socket.once("data", (...all: Buffer[]) => resolve(all)));
  expect(piece?.toString("latin1", 9, 12)).toBe(String(status));
  socket.destroy();
});

test.each([
  ["an upgrade to h2c", "GET", ["upgrade: h2c", "connection: Upgrade, HTTP2-Settings", "http2-settings: AAMAAABkAAQAAP__"], ""],
  ["a WebSocket by POST", "POST", ["upgrade: websocket", "connection: upgrade", "content-length: 2"], "hi"],
  ["a WebSocket with a body", "GET", ["upgrade: websocket", "connection: upgrade", "content-length: 2"], "hi"],
  ["an upgrade that Connection does not name", "GET", ["upgrade: websocket"], ""],
])("%s is passed over: the request is answered like any other", async (_what, method, fields, body) => {
  const head = `${method} /echo HTTP/1.1\r\nhost: headgate\r\n${fields.join("\r\n")}\r\n\r\n${body}`;
  expect(await askRaw(serve.httpUrl, head)).toMatchObject({ status: 200, body: "plain" });
});

test("an endpoint without GET takes no WebSockets", async () => {
  const answer = await askForWebSocket(serve.httpUrl, handshakeHead("/post"));
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "OPTIONS, POST"]);
});

test("Headgate's own paths answer as they always do", async () => {
  expect((await askForWebSocket(serve.httpUrl, handshakeHead("/-/healthz"))).status).toBe(200);
});

test("a WebSocket that is asked for before the answer to an earlier request ends its connection, and no other", async () => {
  const gone = askRaw(serve.httpUrl, `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n${handshakeHead("/echo")}`);
  expect([0, 200]).toContain((await gone).status);
  expect(await instance.text("/echo")).toBe("plain");
});

// WebSockets from a caller to a handler and back: messages, subprotocols, refusals, closes from both sides, deadlines.
// What slow and vanished callers do stands in websocket-pressure.test.ts, malformed frames in websocket-hostile.test.ts.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { CERTIFICATE } from "../support/certificates.ts";
import { problem, startInstance, temporaryFolder, waitFor, written } from "../support/instance.ts";
import { askForWebSocket, handshakeHead, openWebSocket } from "../support/websocket.ts";

const MIB = 1024 * 1024;

await using folder = await temporaryFolder();
const [tlsCert, tlsKey] = [join(folder.path, "cert.pem"), join(folder.path, "key.pem")];
await writeFile(tlsCert, CERTIFICATE.cert);
await writeFile(tlsKey, CERTIFICATE.key);
const instance = await startInstance({ httpsPort: 0, tlsCert, tlsKey });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

/** Opens the way to a handler at "/NAME". */
async function serveHandler(name: string, handler: (request: HandlerRequest) => unknown, options = {}): Promise<void> {
  await serve.createBackend(name, handler);
  await serve.createEndpoint(name, { backend: name, route: `/${name}`, ...options });
}

const open = (path: string, options = {}) => openWebSocket(serve.httpUrl, path, options);
const ask = (path: string, fields: readonly string[] = []) => askForWebSocket(serve.httpUrl, handshakeHead(path, fields));

await serveHandler("echo", async (request) => {
  const socket = request.acceptWebSocket();
  for await (const message of socket) await socket.send(message);
});
/** Closes as the first message says: "CODE REASON". What it hears of the end goes to a file. */
await serveHandler("closes", async (request) => {
  const { writeFileSync } = await import("node:fs");
  const socket = request.acceptWebSocket();
  for await (const message of socket) {
    const [code = "", reason = ""] = String(message).split(" ");
    if (code === "throw") throw new Error("the password is hunter2");
    if (code === "return") return;
    try {
      socket.close(Number(code), reason);
    } catch (error) {
      await socket.send(String(error));
    }
  }
  const { code, reason } = await socket.closed;
  writeFileSync(`ended-${request.headers.get("x-test")}`, `${code} ${reason} ${request.signal.aborted}`);
});

/** What the handler "closes" heard of the end of its connection. */
const heard = (name: string): Promise<string> => waitFor("the handler's word of the end", () => written(instance, `ended-${name}`));

test("text and binary messages come back as what they were, in order, empty and large ones too", async () => {
  const talk = await open("/echo");
  const messages = ["grüß dich 🎉", Buffer.from([0, 255, 128]), "", Buffer.alloc(0), "x".repeat(65_536), Buffer.alloc(65_537, 7), "end"];
  for (const message of messages) talk.ws.send(message);
  for (const message of messages) expect(await talk.next()).toEqual(message);
  talk.ws.close(1000);
  expect(await talk.closed).toEqual({ code: 1000, reason: "" });
});

test("a thousand messages on each of twenty connections at once stay in order and on their own connection", async () => {
  const talks = await Promise.all(Array.from({ length: 20 }, () => open("/echo")));
  await Promise.all(
    talks.map(async (talk, number) => {
      for (let i = 0; i < 1_000; i++) talk.ws.send(`${number}:${i}`);
      for (let i = 0; i < 1_000; i++) expect(await talk.next()).toBe(`${number}:${i}`);
      talk.ws.close();
      await talk.closed;
    }),
  );
});

test("compression is not agreed on, whatever the caller offers", async () => {
  const talk = await open("/echo", { headers: { "sec-websocket-extensions": "permessage-deflate; client_max_window_bits" } });
  expect(talk.headers["sec-websocket-extensions"]).toBeUndefined();
  talk.ws.send("plain");
  expect(await talk.next()).toBe("plain");
  talk.ws.close();
});

test("over TLS it is the same", async () => {
  const talk = await openWebSocket(String(serve.httpsUrl), "/echo", { ca: CERTIFICATE.cert });
  const message = "x".repeat(300_000);
  talk.ws.send(message);
  expect(await talk.next()).toBe(message);
  talk.ws.close(1000);
  expect(await talk.closed).toEqual({ code: 1000, reason: "" });
});

test("a message in fragments arrives as one, with pings between them answered", async () => {
  const talk = await open("/echo");
  const pong = new Promise<string>((resolve) => talk.ws.once("pong", (payload) => resolve(payload.toString())));
  talk.ws.send("eins ", { fin: false });
  talk.ws.ping("there?");
  // The pieces are cut within a character.
  const rest = Buffer.from("zwölf");
  talk.ws.send(rest.subarray(0, 3), { fin: false, binary: false });
  talk.ws.send(rest.subarray(3), { fin: true, binary: false });
  expect(await talk.next()).toBe("eins zwölf");
  expect(await pong).toBe("there?");
  talk.ws.close();
});

test.each([
  ["text", "ä".repeat(MIB / 2)],
  ["binary", Buffer.alloc(MIB, 1)],
])("a %s message of exactly 1 MiB goes through; one of a byte more is a close 1009", async (_kind, message) => {
  const talk = await open("/echo");
  talk.ws.send(message);
  expect(Buffer.from(await talk.next()).equals(Buffer.from(message))).toBe(true);
  talk.ws.send(typeof message === "string" ? `${message}x` : Buffer.alloc(MIB + 1));
  expect(await talk.closed).toEqual({ code: 1009, reason: "" });
});

test("an endpoint's maxBodyBytes below 1 MiB is the limit of a message, to the byte", async () => {
  await serve.createEndpoint("small", { backend: "echo", route: "/small", maxBodyBytes: 1_000 });
  const talk = await open("/small");
  talk.ws.send("x".repeat(1_000));
  expect(await talk.next()).toBe("x".repeat(1_000));
  talk.ws.send("x".repeat(600), { fin: false });
  talk.ws.send("x".repeat(401), { fin: true });
  expect((await talk.closed).code).toBe(1009);
});

test("the handler takes one of the subprotocols that the caller offers", async () => {
  await serveHandler("protocols", async (request) => {
    const protocol = request.webSocketProtocols.find((name) => name === "v2" || name === "v3");
    const socket = request.acceptWebSocket(protocol === undefined ? {} : { protocol });
    await socket.send(`${request.webSocketProtocols.join("+")} ${socket.protocol}`);
  });
  const both = await open("/protocols", { protocols: ["v1", "v2", "v3"] });
  expect([both.protocol, await both.next()]).toEqual(["v2", "v1+v2+v3 v2"]);
  const other = await open("/protocols", { protocols: ["v3"] });
  expect([other.protocol, await other.next()]).toEqual(["v3", "v3 v3"]);
  const none = await open("/protocols");
  expect([none.protocol, await none.next()]).toEqual(["", " "]);
});

test("a subprotocol that the caller does not offer is the handler's mistake: 500, and no WebSocket", async () => {
  await serveHandler("wrong-protocol", (request) => void request.acceptWebSocket({ protocol: "v9" }));
  const answer = await ask("/wrong-protocol", ["sec-websocket-protocol: v1"]);
  expect([answer.status, answer.body]).toEqual([500, expect.stringContaining("handler_error")]);
});

test("fields that the handler gives come with the handshake, but for those that are the handshake's own", async () => {
  await serveHandler("fields", async (request) => {
    const headers = { "set-cookie": "seen=1", "sec-websocket-accept": "forged", upgrade: "forged" };
    const socket = request.acceptWebSocket({ headers });
    await socket.send(`${request.isWebSocket} ${request.method} ${request.params.id} ${new URL(request.url).search}`);
  });
  await serve.createEndpoint("fields-of", { backend: "fields", route: "/fields/:id" });
  const talk = await open("/fields/7?q=1");
  expect(talk.headers).toMatchObject({ "set-cookie": ["seen=1"], upgrade: "websocket", "x-request-id": expect.any(String) });
  expect(JSON.stringify(talk.headers)).not.toContain("forged");
  expect(await talk.next()).toBe("true GET 7 ?q=1");
});

test("a handler that accepts nothing answers over HTTP, and the connection ends with it", async () => {
  await serveHandler("plain", (request) => (request.isWebSocket ? new Response("no sockets", { status: 403 }) : "plain"));
  const answer = await ask("/plain");
  expect([answer.status, answer.body, answer.headers.get("connection")]).toEqual([403, "no sockets", "close"]);
  expect(await instance.text("/plain")).toBe("plain");
  await expect(open("/plain")).rejects.toThrow("403");
});

test("a plain request to a handler that serves WebSockets alone is a 426 that says what to change to", async () => {
  const response = await instance.fetch("/echo");
  expect([response.status, response.headers.get("sec-websocket-version")]).toEqual([426, "13"]);
  expect(await problem(response)).toMatchObject({ status: 426, code: "upgrade_required" });
});

test("a handler that throws before it accepts is a 500, one that throws later a close 1011 that tells nothing", async () => {
  await serveHandler("throws", () => {
    throw new Error("the password is hunter2");
  });
  const answer = await ask("/throws");
  expect([answer.status, answer.text.includes("hunter2")]).toEqual([500, false]);
  const talk = await open("/closes", { headers: { "x-request-id": "throws-later" } });
  talk.ws.send("throw");
  expect(await talk.closed).toEqual({ code: 1011, reason: "handler_error" });
  await waitFor("the exception in the log", async () => {
    for await (const { line } of serve.logs({ source: "closes", tailLines: 1_000 }))
      if (line.includes("hunter2")) return line.includes("throws-later");
    return false;
  });
});

test("a handler that returns closes with 1000, after all that it has sent", async () => {
  await serveHandler("short", (request) => {
    const socket = request.acceptWebSocket();
    for (let i = 0; i < 100; i++) void socket.send(`${i} ${"x".repeat(10_000)}`);
  });
  const talk = await open("/short");
  for (let i = 0; i < 100; i++) expect(await talk.next()).toBe(`${i} ${"x".repeat(10_000)}`);
  expect(await talk.closed).toEqual({ code: 1000, reason: "" });
});

test.each([
  ["1000 done", { code: 1000, reason: "done" }],
  ["1008", { code: 1008, reason: "" }],
  ["3000 registered", { code: 3000, reason: "registered" }],
  [`4999 ${"ü".repeat(61)}x`, { code: 4999, reason: `${"ü".repeat(61)}x` }],
])("a handler's close %s reaches the caller, and the caller's answer the handler", async (words, ended) => {
  const name = `own-${ended.code}`;
  const talk = await open("/closes", { headers: { "x-test": name } });
  talk.ws.send(words);
  expect(await talk.closed).toEqual(ended);
  expect(await heard(name)).toBe(`${ended.code} ${ended.reason} false`);
});

test.each(["999", "1004", "1005", "1006", "1015", "2999", "5000", "1000.5", "NaN", `1000 ${"x".repeat(124)}`])(
  "a handler's close %s cannot be sent: it throws, and the connection stays",
  async (words) => {
    const talk = await open("/closes");
    talk.ws.send(words);
    expect(await talk.next()).toContain("RangeError");
    talk.ws.send("return");
    expect((await talk.closed).code).toBe(1000);
  },
);

test.each([
  [1000, ""],
  [1001, "leaving"],
  [4000, "own reason"],
])("a caller's close %i reaches the handler, which sees its messages end and its signal abort", async (code, reason) => {
  const talk = await open("/closes", { headers: { "x-test": `caller-${code}` } });
  talk.ws.close(code, reason);
  expect(await talk.closed).toEqual({ code, reason });
  expect(await heard(`caller-${code}`)).toBe(`${code} ${reason} true`);
});

test("a caller's close without a code is 1005 on both sides", async () => {
  const talk = await open("/closes", { headers: { "x-test": "no-code" } });
  talk.ws.close();
  expect(await talk.closed).toEqual({ code: 1005, reason: "" });
  expect(await heard("no-code")).toBe("1005  true");
});

test("the deadline bounds the time until a handler accepts, and not what comes after", async () => {
  const handler = async (request: HandlerRequest): Promise<void> => {
    const { existsSync } = await import("node:fs");
    while (!existsSync("accept-now") && !request.signal.aborted) await new Promise((done) => setTimeout(done, 10));
    const socket = request.acceptWebSocket();
    for await (const message of socket) await socket.send(message);
  };
  await serveHandler("late", handler, { requestTimeoutMs: 300 });
  const answer = await ask("/late");
  expect([answer.status, answer.body]).toEqual([504, expect.stringContaining("deadline_exceeded")]);
  const sooner = await ask("/late", ["x-request-timeout: 100ms"]);
  expect(JSON.parse(sooner.body)).toMatchObject({ status: 504, code: "deadline_exceeded", limit: "X-Request-Timeout" });
  await writeFile(join(instance.root, "accept-now"), "");
  const talk = await open("/late");
  const end = performance.now() + 700;
  while (performance.now() < end) {
    talk.ws.send("still here");
    expect(await talk.next()).toBe("still here");
    await new Promise((done) => setTimeout(done, 50));
  }
  talk.ws.close();
});

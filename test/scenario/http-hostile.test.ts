// What hostile callers send over HTTP, byte by byte on real sockets: heads that could be read in two ways, every limit just below, at
// and just above, floods of HTTP/2. Each is refused by the name of its limit or loses its connection, and everyone else is served.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import type { HandlerRequest } from "headgate";
import { FLAG, FRAME, type FrameConnection, dialFrames, frame, headers, request, section } from "../support/http2-frames.ts";
import { askHttp2, openHttp2 } from "../support/http2.ts";
import { type TestInstance, sendRaw, startInstance, waitFor } from "../support/instance.ts";
import { askRaw } from "../support/raw-http.ts";

const HEADER_BYTES = 61_440;
const HEADER_FIELDS = 100;
const URL_BYTES = 8_192;
const BODY_BYTES = 1_000;

let instance: TestInstance;
let http: string;
let h2c: string;
beforeAll(async () => {
  instance = await startInstance({ h2cPort: 0 });
  const { serve } = instance;
  http = serve.httpUrl;
  h2c = serve.h2cUrl ?? "";
  await serve.createBackend("size", async (request: Request) => `${(await request.arrayBuffer()).byteLength}`);
  await serve.createBackend("names", (request: Request) => [...request.headers.keys()].sort());
  await serve.createEndpoint("names", { backend: "names", route: "/names" });
  await serve.createEndpoint("size", { backend: "size", route: "/size", methods: ["GET", "POST"], maxBodyBytes: BODY_BYTES });
  await serve.createEndpoint("deep", { backend: "size", route: "/deep/*", methods: ["GET", "POST"] });
});
afterAll(async () => {
  // Whatever came in: the bridge is the one that it was, and serves.
  expect(await instance.text("/size")).toBe("0");
  const { bridges } = await waitFor("an idle bridge", async () => {
    const status = await instance.serve.status();
    return status.bridges.every(({ inFlight }) => inFlight === 0) && status;
  });
  await instance[Symbol.asyncDispose]();
  expect(bridges).toMatchObject([{ state: "serving", restarts: 0 }]);
});

const POST = "POST /size HTTP/1.1\r\nhost: x\r\n";
const CHUNKED = `${POST}transfer-encoding: chunked\r\n\r\n`;
const get = (path: string, ...fields: readonly string[]): string => [`GET ${path} HTTP/1.1`, "host: x", ...fields, "", ""].join("\r\n");

describe("HTTP/1.1 that could be read in two ways is refused, with one answer, and nothing behind it is run", () => {
  test.each<[string, string]>([
    ["Content-Length twice, equal", `${POST}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`],
    ["Content-Length twice, different", `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`],
    ["Content-Length as a list", `${POST}content-length: 5, 5\r\n\r\nhello`],
    ["Content-Length with a sign", `${POST}content-length: +5\r\n\r\nhello`],
    ["Content-Length below zero", `${POST}content-length: -5\r\n\r\nhello`],
    ["Content-Length in hexadecimal", `${POST}content-length: 0x5\r\n\r\nhello`],
    ["an empty Content-Length", `${POST}content-length: \r\n\r\n`],
    ["a Content-Length beyond any number", `${POST}content-length: 99999999999999999999\r\n\r\n`],
    ["a space before the colon of Content-Length", `${POST}content-length : 5\r\n\r\nhello`],
    ["Content-Length, then Transfer-Encoding", `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["Transfer-Encoding, then Content-Length", `${POST}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`],
    ["chunked twice in a field", `${POST}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
    ["chunked in two fields", `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["identity, then chunked", `${POST}transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["gzip, then chunked", `${POST}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ["a coding that looks like chunked", `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ["chunked in quotes", `${POST}transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n`],
    ["chunked behind a vertical tab", `${POST}transfer-encoding: \u000bchunked\r\n\r\n0\r\n\r\n`],
    ["chunked in HTTP/1.0", "POST /size HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a line end without CR in the head", "GET /size HTTP/1.1\r\nhost: x\nx-a: b\r\n\r\n"],
    ["a CR alone in a value", "GET /size HTTP/1.1\r\nhost: x\r\nx-a: b\rx-c: d\r\n\r\n"],
    ["a line end without CR behind a chunk's size", `${CHUNKED}1\na\r\n0\r\n\r\n`],
    ["a chunk of another size than said", `${CHUNKED}1\r\nab\r\n0\r\n\r\n`],
    ["a chunk of a size below zero", `${CHUNKED}-1\r\na\r\n0\r\n\r\n`],
    ["a chunk's size beyond any number", `${CHUNKED}fffffffffffffffff\r\na\r\n0\r\n\r\n`],
    ["a chunk's size with a space", `${CHUNKED}1 \r\na\r\n0\r\n\r\n`],
    ["extensions of a chunk without end", `${CHUNKED}1;${"x".repeat(20_000)}\r\na\r\n0\r\n\r\n`],
    ["a folded field", "GET /size HTTP/1.1\r\nhost: x\r\nx-a: b\r\n c\r\n\r\n"],
    ["a space before the first field", "GET /size HTTP/1.1\r\n host: x\r\n\r\n"],
    ["a field without a name", get("/size", ": b")],
    ["a NUL in a name", get("/size", "x\0a: b")],
    ["a NUL in a value", get("/size", "x-a: b\0c")],
    ["a DEL in a value", get("/size", "x-a: b\u007fc")],
    ["an underscore beside its twin", get("/size", "x-user: a", "x_user: b")],
    ["an underscore in Content-Length beside it", get("/size", "content-length: 0", "content_length: 5")],
    ["no Host", "GET /size HTTP/1.1\r\n\r\n"],
    ["two Hosts", get("/size", "host: y")],
    ["a Host with a path", "GET /size HTTP/1.1\r\nhost: x/admin\r\n\r\n"],
    ["a Host with a user", "GET /size HTTP/1.1\r\nhost: a@x\r\n\r\n"],
    ["a Host with a query", "GET /size HTTP/1.1\r\nhost: x?a\r\n\r\n"],
    ["a Host with a space", "GET /size HTTP/1.1\r\nhost: x y\r\n\r\n"],
    ["two shard keys", get("/size", "x-headgate-shard-key: a", "x-headgate-shard-key: b")],
    ["two timeouts", get("/size", "x-request-timeout: 1s", "x-request-timeout: 2s")],
    ["an encoded NUL in the path", get("/deep/a%00b")],
    ["an encoded slash in the path", get("/deep/a%2fb")],
    ["an encoded slash in the path, upper case", get("/deep/a%2Fb")],
    ["an encoded backslash in the path", get("/deep/a%5cb")],
    ["a backslash in the path", get("/deep/a\\b")],
    ["a dot segment", get("/deep/../size")],
    ["a dot segment at the end", get("/deep/..")],
    ["an encoded dot segment", get("/deep/%2e%2e/size")],
    ["a half encoded dot segment", get("/deep/.%2E/size")],
    ["a single dot segment", get("/deep/./size")],
    ["a fragment", get("/deep/a#b")],
    ["a tab in the target", get("/deep/a\tb")],
    ["a byte beyond ASCII in the target", get("/deep/\u00e4")],
    ["a target that is no path", get("deep")],
    ["another version", "GET /size HTTP/1.2\r\nhost: x\r\n\r\n"],
    ["version 2.0 in a line", "GET /size HTTP/2.0\r\nhost: x\r\n\r\n"],
    ["version 0.9", "GET /size\r\n\r\n"],
    ["no version that there is", "GET /size http/1.1\r\nhost: x\r\n\r\n"],
    ["a space behind the version", "GET /size HTTP/1.1 \r\nhost: x\r\n\r\n"],
    ["a method in lower case", "get /size HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a method that there is not", "SMUGGLE /size HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a tab behind the method", "GET\t/size HTTP/1.1\r\nhost: x\r\n\r\n"],
  ])("%s", async (_, bytes) => {
    const { status, headers: fields, body, text } = await askRaw(http, `${bytes}GET /size HTTP/1.1\r\nhost: smuggled\r\n\r\n`);
    expect(status).toBe(400);
    const problem: unknown = JSON.parse(body.slice(0, body.indexOf("\n")));
    expect(problem).toMatchObject({ status: 400, code: "malformed_request", requestId: fields.get("x-request-id") });
    expect(text).not.toContain("HTTP/1.1 200");
    expect(text).not.toMatch(/node:|\bat |\.ts\b/);
  });

  test("the same in the query is an affair of the handler's", async () => {
    expect((await askRaw(http, get("/size?a=%2f..%00/../b"))).status).toBe(200);
  });
});

describe("each limit just below, at, and just above", () => {
  /** What a head over HTTP/1.1 is answered with, and what the same is over HTTP/2. */
  async function both(path: string, fields: readonly string[]): Promise<readonly { status: number; limit: unknown }[]> {
    const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}`] : []));
    const one = await askRaw(http, get(path, ...lines));
    const connection = await dialFrames(h2c);
    connection.socket.write(headers(1, section(...request(path), ...fields)));
    const two = await answerOf(connection);
    connection.socket.destroy();
    return [one, two].map(({ status, body }) => ({ status, limit: status < 400 ? null : JSON.parse(body).limit }));
  }

  test.each([
    [-1, 200, null],
    [0, 200, null],
    [1, 431, "headerBytes"],
  ])("headerBytes %+i: %i", async (more, status, limit) => {
    // Target, names and values count: those of Host, and of one field.
    const size = HEADER_BYTES - "/size".length - "host".length - 1 - "x".length + more;
    expect(await both("/size", ["x", "v".repeat(size)])).toEqual([
      { status, limit },
      { status, limit },
    ]);
  });

  test.each([
    [-1, 200, null],
    [0, 200, null],
    [1, 431, "headerFields"],
  ])("headerFields %+i: %i", async (more, status, limit) => {
    // Host is one of them.
    const fields = Array.from({ length: HEADER_FIELDS - 1 + more }, (_, index) => [`x-${index}`, "1"]).flat();
    expect(await both("/size", fields)).toEqual([
      { status, limit },
      { status, limit },
    ]);
  });

  test("fields far beyond their number cost no one else anything", async () => {
    const began = performance.now();
    const many = askRaw(http, get("/size", ...Array.from({ length: 30_000 }, () => "_:")));
    expect((await askRaw(http, get("/size"))).status).toBe(200);
    expect(JSON.parse((await many).body)).toMatchObject({ status: 431, limit: "headerFields" });
    // A bound against work that grows with the square of their number.
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test.each([
    [-1, 200, null],
    [0, 200, null],
    [1, 414, "urlBytes"],
  ])("urlBytes %+i: %i", async (more, status, limit) => {
    expect(await both(`/size?${"q".repeat(URL_BYTES - "/size?".length + more)}`, [])).toEqual([
      { status, limit },
      { status, limit },
    ]);
  });

  test.each([
    [-1, 200],
    [0, 200],
    [1, 413],
  ])("maxBodyBytes %+i: %i, said, in chunks, and over HTTP/2", async (more, status) => {
    const body = "b".repeat(BODY_BYTES + more);
    const said = await askRaw(http, `${POST}content-length: ${body.length}\r\n\r\n${body}`);
    const inChunks = await askRaw(http, `${CHUNKED}1\r\n${body[0]}\r\n${(body.length - 1).toString(16)}\r\n${body.slice(1)}\r\n0\r\n\r\n`);
    await using client = openHttp2(h2c);
    const over2 = await askHttp2(client.session, { ":path": "/size" }, body);
    const saidOver2 = await askHttp2(client.session, { ":path": "/size", "content-length": body.length }, body);
    for (const answer of [said, inChunks, over2, saidOver2]) {
      expect(answer.status).toBe(status);
      if (status === 413) expect(JSON.parse(answer.body)).toMatchObject({ limit: "maxBodyBytes" });
      else expect(answer.body.slice(0, 4)).toContain(String(body.length));
    }
  });

  test("trailers count with the head", async () => {
    const chunk = `${CHUNKED}1\r\na\r\n0\r\n`;
    const fields = (count: number): string => Array.from({ length: count }, (_, index) => `t-${index}: 1\r\n`).join("");
    expect((await askRaw(http, `${chunk}${fields(99)}\r\n`)).status).toBe(200);
    const many = await askRaw(http, `${chunk}${fields(100)}\r\n`);
    expect(JSON.parse(many.body)).toMatchObject({ status: 431, limit: "headerFields" });
    const large = await askRaw(http, `${chunk}t-large: ${"x".repeat(70_000)}\r\n\r\n`);
    expect(JSON.parse(large.body)).toMatchObject({ status: 431, limit: "headerBytes" });
  });

  test("http2Streams: the hundredth stream is served, one more is refused", async () => {
    const connection = await dialFrames(h2c);
    const streams = Array.from({ length: 101 }, (_, index) => 2 * index + 1);
    // Bodies that do not end keep their streams open.
    connection.socket.write(Buffer.concat(streams.map((stream) => headers(stream, section(...request("/size", "POST")), false))));
    const refused = await connection.until(({ type }) => type === FRAME.rst || type === FRAME.goaway);
    expect(refused).toMatchObject({ type: FRAME.rst, stream: 201 });
    expect(refused?.payload.readUInt32BE(0)).toBe(7);
    for (const stream of streams.slice(0, 100)) connection.socket.write(frame(FRAME.data, FLAG.endStream, stream, Buffer.from("x")));
    await connection.until(({ type, stream }) => type === FRAME.headers && stream === 199);
    connection.socket.destroy();
  });

  test("pipelinedRequests: so many at once are answered, and one more of which none has its answer ends their connection", async () => {
    // What comes until the connection is closed.
    const most = await sendRaw(http, get("/size").repeat(99) + get("/size", "connection: close"));
    expect(most.match(/HTTP\/1\.1 200/g)).toHaveLength(100);
    const over = await sendRaw(http, get("/size").repeat(101)).catch((error: NodeJS.ErrnoException) => error.code);
    // Closed with bytes unread, it may be reset before any answer is seen.
    expect(over === "ECONNRESET" || (over?.match(/HTTP\/1\.1 200/g)?.length ?? 0) < 100).toBe(true);
    expect((await askRaw(http, get("/size"))).status).toBe(200);
  });
});

/** The answer on stream 1. */
async function answerOf(connection: FrameConnection): Promise<{ readonly status: number; readonly body: string }> {
  const last = await connection.until(
    ({ type, flags, stream }) => type === FRAME.goaway || (stream === 1 && (type === FRAME.rst || (flags & FLAG.endStream) !== 0)),
  );
  const head = connection.frames.find(({ type, stream }) => type === FRAME.headers && stream === 1);
  const data = connection.frames.filter(({ type, stream }) => type === FRAME.data && stream === 1);
  if (last === null || head === undefined) return { status: 0, body: "{}" };
  // Its status is one of those of the static table (RFC 7541, appendix A), or a literal.
  const [first = 0] = head.payload;
  const known: Readonly<Record<number, number>> = { 136: 200, 137: 204, 140: 400, 141: 404, 142: 500 };
  const body = Buffer.concat(data.map(({ payload }) => payload)).toString("latin1");
  return { status: known[first] ?? Number(JSON.parse(body).status), body };
}

describe("HTTP/2 that is malformed loses its stream or its connection", () => {
  const GOOD = request("/size");
  test.each<[string, readonly string[]]>([
    ["a name in upper case", [...GOOD, "X-Upper", "1"]],
    ["Connection", [...GOOD, "connection", "close"]],
    ["Transfer-Encoding", [...GOOD, "transfer-encoding", "chunked"]],
    ["Upgrade", [...GOOD, "upgrade", "websocket"]],
    ["Keep-Alive", [...GOOD, "keep-alive", "timeout=5"]],
    ["Proxy-Connection", [...GOOD, "proxy-connection", "close"]],
    ["TE with something else than trailers", [...GOOD, "te", "gzip"]],
    ["no :path", [":method", "GET", ":scheme", "http", ":authority", "x"]],
    ["no :method", [":scheme", "http", ":path", "/size", ":authority", "x"]],
    ["no :scheme", [":method", "GET", ":path", "/size", ":authority", "x"]],
    ["an empty :path", [":method", "GET", ":scheme", "http", ":path", "", ":authority", "x"]],
    [":method twice", [...GOOD, ":method", "POST"]],
    [":path twice", [...GOOD, ":path", "/deep/a"]],
    ["a pseudo-field behind a field", [":method", "GET", ":scheme", "http", "x-a", "1", ":path", "/size", ":authority", "x"]],
    ["a pseudo-field of an answer", [...GOOD, ":status", "200"]],
    ["a pseudo-field that there is not", [...GOOD, ":smuggled", "1"]],
    [":protocol, which is not offered", [...request("/size", "CONNECT"), ":protocol", "websocket"]],
    ["Content-Length twice", [...GOOD, "content-length", "0", "content-length", "0"]],
    ["Content-Length for no body", [...GOOD, "content-length", "5"]],
  ])("%s", async (_, fields) => {
    const connection = await dialFrames(h2c);
    connection.socket.write(headers(1, section(...fields)));
    const end = await connection.until(({ type, stream }) => type === FRAME.goaway || (type === FRAME.rst && stream === 1));
    expect(end).not.toBeNull();
    expect(connection.frames.some(({ type, payload }) => type === FRAME.headers && payload[0] === 136)).toBe(false);
    connection.socket.destroy();
  });

  test.each<[string, readonly string[]]>([
    ["a line end in a value", ["x-a", "1\r\nx-b: 2"]],
    ["a NUL in a value", ["x-a", "1\0"]],
    ["a space in a name", ["x a", "1"]],
    ["a colon in a name", ["x:a", "1"]],
    ["an empty name", ["", "1"]],
  ])("%s loses its field, which no handler sees, or its stream", async (_, fields) => {
    const connection = await dialFrames(h2c);
    connection.socket.write(headers(1, section(...request("/names"), ...fields, "x-kept", "1")));
    const { status, body } = await answerOf(connection);
    if (status !== 0) expect(JSON.parse(body)).toEqual(["host", "x-kept"]);
    connection.socket.destroy();
  });

  test.each<[string, readonly string[]]>([
    ["a Host that differs from :authority", [...GOOD, "host", "other"]],
    ["an :authority that is no host", [":method", "GET", ":scheme", "http", ":path", "/size", ":authority", "x/admin"]],
    ["no :authority and no Host", [":method", "GET", ":scheme", "http", ":path", "/size"]],
    ["an encoded slash in the path", request("/deep/a%2fb")],
    ["a dot segment", request("/deep/../size")],
    ["a fragment", request("/deep/a#b")],
    ["an underscore beside its twin", [...GOOD, "x-user", "a", "x_user", "b"]],
  ])("%s is a problem, or loses its stream", async (_, fields) => {
    const connection = await dialFrames(h2c);
    connection.socket.write(headers(1, section(...fields)));
    const { status, body } = await answerOf(connection);
    if (status !== 0) expect(JSON.parse(body)).toMatchObject({ status: 400, code: "malformed_request" });
    connection.socket.destroy();
  });
});

describe("a caller that floods HTTP/2 loses its connection, and the others are served", () => {
  const ACKS = frame(FRAME.settings, FLAG.ack, 0);
  const many = (count: number, one: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => one));

  /** Sends until the other side ends it; false: it took all of this. */
  async function flood(connection: FrameConnection, next: (round: number) => Buffer, rounds: number): Promise<boolean> {
    const { socket } = connection;
    for (let round = 0; round < rounds && !socket.destroyed && !socket.writableEnded; round += 1) {
      if (!socket.write(next(round))) {
        await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), connection.closed]);
      }
    }
    return socket.destroyed || connection.frames.some(({ type }) => type === FRAME.goaway);
  }

  /** A caller of good will, meanwhile. */
  async function served(during: Promise<unknown>): Promise<void> {
    await using client = openHttp2(h2c);
    let over = false;
    void during.finally(() => {
      over = true;
    });
    do expect((await askHttp2(client.session, { ":path": "/size" })).status).toBe(200);
    while (!over);
    await during;
    expect((await askRaw(http, get("/size"))).status).toBe(200);
  }

  test("streams that are opened and reset at once", async () => {
    const connection = await dialFrames(h2c);
    const cancel = Buffer.from([0, 0, 0, 8]);
    const head = section(...request("/size"));
    const ended = flood(
      connection,
      (round) =>
        Buffer.concat(
          Array.from({ length: 50 }, (_, index) => {
            const stream = 2 * (50 * round + index) + 1;
            return Buffer.concat([headers(stream, head), frame(FRAME.rst, 0, stream, cancel)]);
          }),
        ),
      400,
    );
    await served(ended);
    // It is told, or simply cut off.
    await connection.closed;
  });

  test("pings whose answers are not read", async () => {
    const connection = await dialFrames(h2c);
    connection.socket.pause();
    const pings = many(1_000, frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
    let sent = 0;
    // What the buffers of the system hold is answered; beyond them it is the bridge's memory.
    while (sent < 2_000 && !connection.socket.destroyed && connection.socket.write(pings)) sent += 1;
    await served(new Promise((resolve) => setImmediate(resolve)));
    connection.socket.destroy();
  });

  test("settings without end", async () => {
    const connection = await dialFrames(h2c);
    connection.socket.pause();
    const settings = many(1_000, frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255])));
    let sent = 0;
    while (sent < 2_000 && !connection.socket.destroyed && connection.socket.write(settings)) sent += 1;
    await served(new Promise((resolve) => setImmediate(resolve)));
    connection.socket.destroy();
  });

  test("a field section that goes on and on", async () => {
    const connection = await dialFrames(h2c);
    connection.socket.write(frame(FRAME.headers, FLAG.endStream, 1, section(...request("/size"))));
    const more = frame(FRAME.continuation, 0, 1, section("x-pad", "y".repeat(16_000)));
    const ended = flood(connection, () => more, 2_000);
    await served(ended);
    await connection.closed;
    expect(await ended).toBe(true);
  });

  test("a window that overflows", async () => {
    const connection = await dialFrames(h2c);
    const most = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
    connection.socket.write(many(2, frame(FRAME.window, 0, 0, most)));
    expect(await connection.until(({ type }) => type === FRAME.goaway)).not.toBeNull();
    await connection.closed;
  });

  test("one byte of a body beyond the stream's window; all that the window holds is taken", async () => {
    await instance.serve.createBackend({
      name: "taken",
      handler: (request: HandlerRequest) => new Promise((left) => request.signal.addEventListener("abort", left)),
      config: { maxConcurrentQueries: 1 },
    });
    await instance.serve.createEndpoint("taken", { backend: "taken", route: "/taken", methods: ["POST"] });
    const connection = await dialFrames(h2c);
    const { socket, frames } = connection;
    // From here on the window is what the settings say.
    socket.write(ACKS);
    // The only place is taken by the first, and the second waits with its body in the bridge.
    socket.write(headers(1, section(...request("/taken", "POST")), true));
    await waitFor("the first", async () =>
      (await instance.serve.status()).replicas.some((one) => one.backend === "taken" && one.inFlight === 1),
    );
    socket.write(headers(3, section(...request("/taken", "POST")), false));
    const updates = (): number =>
      frames.reduce((sum, { type, stream, payload }) => sum + (type === FRAME.window && stream === 3 ? payload.readUInt32BE(0) : 0), 0);
    let pings = 0;
    const answered = async (): Promise<void> => {
      socket.write(frame(FRAME.ping, 0, 0, Buffer.alloc(8, ++pings)));
      await connection.until(({ type, payload }) => type === FRAME.ping && payload[0] === pings);
    };
    const first = 65_536;
    let sent = 0;
    for (let quiet = 0; quiet < 5; ) {
      const size = Math.min(16_384, first + updates() - sent);
      sent += size;
      if (size > 0) socket.write(frame(FRAME.data, 0, 3, Buffer.alloc(size)));
      await answered();
      quiet = size > 0 ? 0 : quiet + 1;
    }
    expect(sent).toBe(first + updates());
    // So much of one body lies in the bridge, and what of it was read before it had to wait.
    expect(sent).toBeLessThanOrEqual(3 * first);
    expect(frames.filter(({ type }) => type === FRAME.rst || type === FRAME.goaway)).toEqual([]);
    socket.write(frame(FRAME.data, 0, 3, Buffer.alloc(1)));
    const refused = await connection.until(({ type }) => type === FRAME.rst || type === FRAME.goaway);
    // FLOW_CONTROL_ERROR, of the stream or of the connection.
    expect(refused?.payload.readUInt32BE(refused.type === FRAME.rst ? 0 : 4)).toBe(3);
    socket.destroy();
  });

  test("http2ResetBurst: so many streams that are opened and reset at once are nothing, and as many again end the connection", async () => {
    const connection = await dialFrames(h2c);
    const { socket } = connection;
    const head = section(...request("/size", "POST"));
    const cancel = Buffer.from([0, 0, 0, 8]);
    const resets = (from: number, count: number): Buffer =>
      Buffer.concat(
        Array.from({ length: count }, (_, index) =>
          Buffer.concat([headers(2 * (from + index) + 1, head, false), frame(FRAME.rst, 0, 2 * (from + index) + 1, cancel)]),
        ),
      );
    socket.write(resets(0, LIMITS.http2ResetBurst));
    socket.write(frame(FRAME.ping, 0, 0, Buffer.alloc(8, 1)));
    await connection.until(({ type }) => type === FRAME.ping || type === FRAME.goaway);
    expect(connection.frames.some(({ type }) => type === FRAME.goaway)).toBe(false);
    socket.write(resets(LIMITS.http2ResetBurst, LIMITS.http2ResetBurst));
    await connection.closed;
  });

  test("more data than the window", async () => {
    const connection = await dialFrames(h2c);
    connection.socket.write(headers(1, section(...request("/deep/a", "POST")), false));
    const data = frame(FRAME.data, 0, 1, Buffer.alloc(16_384));
    await flood(connection, () => data, 1_000);
    // It is told, unless what it has sent meanwhile makes a reset of the end.
    await connection.until(({ type }) => type === FRAME.goaway || type === FRAME.rst);
    connection.socket.destroy();
  });

  test("frames without sense", async () => {
    const cases = [
      frame(FRAME.data, 0, 0, Buffer.from("x")),
      frame(FRAME.headers, FLAG.endHeaders, 2, section(...request("/size"))),
      frame(FRAME.settings, FLAG.ack, 0, Buffer.from("x")),
      frame(FRAME.ping, 0, 0, Buffer.from("short")),
      frame(FRAME.rst, 0, 99, Buffer.from([0, 0, 0, 8])),
      frame(FRAME.continuation, FLAG.endHeaders, 1, Buffer.alloc(0)),
      Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]), Buffer.alloc(100_000)]),
      Buffer.from("GET /size HTTP/1.1\r\nhost: x\r\n\r\n"),
    ];
    for (const bytes of cases) {
      const connection = await dialFrames(h2c);
      connection.socket.write(Buffer.concat([ACKS, bytes]));
      expect(await connection.until(({ type }) => type === FRAME.goaway)).not.toBeNull();
      await connection.closed;
    }
  });
});

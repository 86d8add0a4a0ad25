// Every row of the table in docs/http.md, over every protocol that it names: what passes through, what the bridge answers, what it
// refuses. A row without a case here fails, and so does a case without a row.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { GATE_FILES, aborted, entered, openGate } from "../support/gate.ts";
import { type Answer, type Protocol, type Question, ask } from "../support/http-client.ts";
import { openHttp2, readHttp2 } from "../support/http2.ts";
import { REPOSITORY, type TestInstance, openSocket, startInstance, waitFor } from "../support/instance.ts";
import { askRaw, readAnswer } from "../support/raw-http.ts";

const GET_AND_POST = ["GET", "POST"];

let instance: TestInstance;
let urls: Record<Protocol, string>;
beforeAll(async () => {
  instance = await startInstance({ files: GATE_FILES, h2cPort: 0 });
  const { serve } = instance;
  urls = { "HTTP/1.1": serve.httpUrl, "HTTP/2": serve.h2cUrl ?? "" };
  await serve.createBackend("echo", async (request: Request) => ({
    method: request.method,
    url: request.url,
    body: await request.text(),
    headers: Object.fromEntries(request.headers),
  }));
  await serve.createBackend("answers", async function answers(request: Request) {
    const { pathname } = new URL(request.url);
    switch (pathname.split("/").pop()) {
      case "conditional":
        return request.headers.get("if-none-match") === '"v1"'
          ? new Response(null, { status: 304, headers: { etag: '"v1"', "cache-control": "max-age=5" } })
          : new Response("version one", { headers: { etag: '"v1"', "last-modified": "Tue, 01 Jan 2030 00:00:00 GMT" } });
      case "range":
        if (request.headers.get("range") === "bytes=99-") {
          return new Response(null, { status: 416, headers: { "content-range": "bytes */10" } });
        }
        return request.headers.get("range") === "bytes=2-4" && request.headers.get("if-range") === '"v1"'
          ? new Response("234", { status: 206, headers: { "content-range": "bytes 2-4/10" } })
          : new Response("0123456789", { headers: { "accept-ranges": "bytes" } });
      case "fields": {
        const headers = new Headers({ vary: "Accept", "cache-control": "no-store", expires: "0", age: "7", "www-authenticate": "Basic" });
        headers.append("set-cookie", "a=1; Path=/");
        headers.append("set-cookie", "b=2");
        headers.set("keep-alive", "timeout=1");
        headers.set("connection", "x-gone");
        headers.set("x-gone", "1");
        return new Response("fields", { headers });
      }
      case "encoded":
        return new Response(new Uint8Array([31, 139, 8, 0]), { headers: { "content-encoding": "gzip" } });
      case "moved":
        return new Response(null, { status: 307, headers: { location: "/elsewhere?a=b" } });
      case "date":
        return new Response("then", { headers: { date: "Tue, 01 Jan 2030 00:00:00 GMT" } });
      case "stream":
        return new Response(
          new ReadableStream({
            async pull(controller) {
              controller.enqueue(new TextEncoder().encode("piece "));
              await new Promise((done) => setTimeout(done, 1));
              if (request.signal.aborted) controller.close();
            },
          }),
        );
      case "three":
        return (async function* pieces() {
          for (const piece of ["one ", "two ", "three"]) {
            yield piece;
            await new Promise((done) => setTimeout(done, 5));
          }
        })();
      case "long":
      case "short":
      case "kept": {
        const said = { long: "3", short: "30", kept: "9" }[pathname.split("/").pop() ?? ""] ?? "";
        const stream = new ReadableStream({
          async start(controller) {
            for (const piece of ["one", "two", "333"]) {
              controller.enqueue(new TextEncoder().encode(piece));
              await new Promise((done) => setTimeout(done, 5));
            }
            controller.close();
          },
        });
        return new Response(stream, { headers: { "content-length": said } });
      }
      case "early-hints":
        return new Response(null, { status: 103 });
      default:
        return new Response("nothing", { status: 404 });
    }
  });
  await serve.createBackend("trailers", async (request: HandlerRequest) => {
    request.setTrailer("x-first", "1");
    request.setTrailer("x-second", "2");
    const body = await request.text();
    return { body, trailers: Object.fromEntries(await request.trailers) };
  });
  await serve.createEndpoint("trailers", { backend: "trailers", route: "/trailers", methods: GET_AND_POST });
  await serve.createBackend("gate", "./gate.ts#gate");
  await serve.createBackend("garbage", {
    command: [process.execPath, join(REPOSITORY, "test", "support", "garbage-replica.ts"), "session"],
  });
  await serve.createEndpoint("echo", { backend: "echo", route: "/echo", methods: GET_AND_POST });
  await serve.createEndpoint("small", { backend: "echo", route: "/small", methods: ["POST"], maxBodyBytes: 10 });
  await serve.createEndpoint("shared", { backend: "echo", route: "/shared", cors: { origins: ["https://app.example"] } });
  await serve.createEndpoint("asks-options", { backend: "echo", route: "/asks-options", methods: ["OPTIONS"] });
  await serve.createEndpoint("answers", { backend: "answers", route: "/answers/*" });
  await serve.createEndpoint("gate", { backend: "gate", route: "/gate", requestTimeoutMs: 30_000 });
  await serve.createEndpoint("garbage", { backend: "garbage", route: "/garbage/*" });
});
afterAll(async () => {
  const { bridges } = await instance.serve.status();
  await instance[Symbol.asyncDispose]();
  expect(bridges).toMatchObject([{ state: "serving", restarts: 0 }]);
});

/** What a handler saw of a request. */
interface Echo {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

type Asker = (question: Question | string) => Promise<Answer>;

/** What the handler saw of a request with these fields. */
async function seen(asker: Asker, ...fields: readonly string[]): Promise<Echo> {
  return JSON.parse((await asker({ path: "/echo", fields })).body) as Echo;
}

const json = ({ body }: Answer): unknown => JSON.parse(body);
const idle = () => waitFor("an idle bridge", async () => (await instance.serve.status()).bridges.every(({ inFlight }) => inFlight === 0));
const get = (path: string, ...fields: readonly string[]): string => [`GET ${path} HTTP/1.1`, "host: x", ...fields, "", ""].join("\r\n");

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
let count = 0;
const fresh = (): string => `g${count++}`;

const CASES: Readonly<Record<string, (asker: Asker, protocol: Protocol) => Promise<void>>> = {
  async head(asker) {
    const whole = await asker("/answers/conditional");
    const head = await asker({ method: "HEAD", path: "/answers/conditional" });
    expect(head).toMatchObject({ status: 200, body: "", whole: true });
    for (const name of ["etag", "last-modified", "content-type"]) expect(head.field(name)).toBe(whole.field(name));
    expect(head.field("content-length")).toBe("11");
    expect(await asker({ method: "HEAD", path: "/small" })).toMatchObject({ status: 405, body: "" });
  },

  async "head-of-stream"(asker) {
    expect(await asker({ method: "HEAD", path: "/answers/stream" })).toMatchObject({ status: 200, body: "", whole: true });
    await idle();
  },

  async options(asker) {
    const answer = await asker({ method: "OPTIONS", path: "/echo" });
    expect(answer).toMatchObject({ status: 204, body: "" });
    expect(answer.field("allow")).toBe("GET, HEAD, OPTIONS, POST");
    expect(json(await asker({ method: "OPTIONS", path: "/asks-options" }))).toMatchObject({ method: "OPTIONS" });
  },

  async "options-star"(asker) {
    expect((await asker({ method: "OPTIONS", path: "*" })).status).toBe(204);
  },

  async "other-method"(asker) {
    for (const method of ["DELETE", "TRACE", "PROPFIND"]) {
      const answer = await asker({ method, path: "/echo" });
      expect(answer.status).toBe(405);
      expect(answer.field("allow")).toBe("GET, HEAD, OPTIONS, POST");
      expect(json(answer)).toMatchObject({ code: "method_not_allowed" });
    }
  },

  async connect(asker, protocol) {
    if (protocol === "HTTP/2") expect((await asker({ method: "CONNECT", path: "example.com:443" })).status).toBe(405);
    else {
      const answer = await askRaw(urls[protocol], "CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n");
      expect(answer.status).toBe(405);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "method_not_allowed" });
    }
  },

  async cors(asker) {
    const answer = await asker({ path: "/shared", fields: ["origin", "https://app.example"] });
    expect(answer.field("access-control-allow-origin")).toBe("https://app.example");
    const preflight = ["origin", "https://app.example", "access-control-request-method", "GET"];
    const told = await asker({ method: "OPTIONS", path: "/shared", fields: preflight });
    expect(told.status).toBe(204);
    expect(told.field("access-control-allow-methods")).toContain("GET");
    expect((await asker({ path: "/echo", fields: ["origin", "https://app.example"] })).field("access-control-allow-origin")).toBeNull();
  },

  async conditional(asker) {
    const first = await asker("/answers/conditional");
    expect(first).toMatchObject({ status: 200, body: "version one" });
    expect(first.field("etag")).toBe('"v1"');
    const again = await asker({ path: "/answers/conditional", fields: ["if-none-match", '"v1"'] });
    expect(again).toMatchObject({ status: 304, body: "", whole: true });
    expect([again.field("etag"), again.field("cache-control"), again.field("content-length")]).toEqual(['"v1"', "max-age=5", null]);
    const since = "Tue, 01 Jan 2030 00:00:00 GMT";
    expect((await seen(asker, "if-modified-since", since)).headers["if-modified-since"]).toBe(since);
  },

  async range(asker) {
    const part = await asker({ path: "/answers/range", fields: ["range", "bytes=2-4", "if-range", '"v1"'] });
    expect(part).toMatchObject({ status: 206, body: "234" });
    expect(part.field("content-range")).toBe("bytes 2-4/10");
    const none = await asker({ path: "/answers/range", fields: ["range", "bytes=99-"] });
    expect(none.status).toBe(416);
    expect(none.field("content-range")).toBe("bytes */10");
    expect((await asker("/answers/range")).field("accept-ranges")).toBe("bytes");
  },

  async caching(asker) {
    const answer = await asker("/answers/fields");
    expect(["vary", "cache-control", "expires", "age"].map(answer.field)).toEqual(["Accept", "no-store", "0", "7"]);
  },

  async cookies(asker) {
    expect((await asker("/answers/fields")).all("set-cookie")).toEqual(["a=1; Path=/", "b=2"]);
    expect((await seen(asker, "cookie", "a=1; b=2")).headers.cookie).toBe("a=1; b=2");
  },

  async encodings(asker) {
    const answer = await asker("/answers/encoded");
    expect(answer.field("content-encoding")).toBe("gzip");
    expect(Buffer.from(answer.body, "latin1")).toEqual(Buffer.from([31, 139, 8, 0]));
    expect((await seen(asker, "accept-encoding", "br, gzip")).headers["accept-encoding"]).toBe("br, gzip");
    const packed = await asker({ method: "POST", path: "/echo", body: "not gzip at all", fields: ["content-encoding", "gzip"] });
    expect(json(packed)).toMatchObject({ body: "not gzip at all", headers: { "content-encoding": "gzip" } });
  },

  async redirects(asker) {
    const answer = await asker("/answers/moved");
    expect(answer.status).toBe(307);
    expect(answer.field("location")).toBe("/elsewhere?a=b");
  },

  async authorization(asker) {
    expect((await seen(asker, "authorization", "Bearer abc")).headers.authorization).toBe("Bearer abc");
    expect((await asker("/answers/fields")).field("www-authenticate")).toBe("Basic");
  },

  async forwarded(asker) {
    const fields = { forwarded: "for=1.2.3.4", "x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https", via: "1.1 front" };
    expect((await seen(asker, ...Object.entries(fields).flat())).headers).toMatchObject(fields);
    const { headers } = await seen(asker);
    for (const name of Object.keys(fields)) expect(headers).not.toHaveProperty(name);
  },

  async date(asker) {
    expect((await asker("/answers/date")).all("date")).toEqual(["Tue, 01 Jan 2030 00:00:00 GMT"]);
    const made = (await asker("/echo")).all("date");
    expect(made).toHaveLength(1);
    expect(Math.abs(Date.parse(made[0] ?? "") - Date.now())).toBeLessThan(60_000);
  },

  async "request-id"(asker) {
    expect((await asker({ path: "/echo", fields: ["x-request-id", "mine-1"] })).all("x-request-id")).toEqual(["mine-1"]);
    const unknown = await asker({ path: "/nothing", fields: ["x-request-id", "mine-2"] });
    expect(json(unknown)).toMatchObject({ requestId: "mine-2" });
    const ids = await Promise.all(["/echo", "/echo"].map(async (path) => (await asker(path)).field("x-request-id")));
    expect(new Set(ids).size).toBe(2);
    const two = await asker({ path: "/echo", fields: ["x-request-id", "a", "x-request-id", "b"] });
    expect(two.field("x-request-id")).not.toMatch(/^[ab]?$/);
  },

  async "trace-context"(asker) {
    const good = await seen(asker, "traceparent", PARENT, "tracestate", "rojo=1,congo=2");
    expect(good.headers).toMatchObject({ traceparent: PARENT, tracestate: "rojo=1,congo=2" });
    const bad: readonly (readonly string[])[] = [
      ["traceparent", `${PARENT}x`, "tracestate", "rojo=1"],
      ["traceparent", PARENT, "traceparent", PARENT, "tracestate", "rojo=1"],
      ["tracestate", "rojo=1"],
    ];
    for (const fields of bad) {
      const { headers } = await seen(asker, ...fields);
      expect(headers).not.toHaveProperty("traceparent");
      expect(headers).not.toHaveProperty("tracestate");
    }
    const half = await seen(asker, "traceparent", PARENT, "tracestate", "ROJO=1");
    expect(half.headers.traceparent).toBe(PARENT);
    expect(half.headers).not.toHaveProperty("tracestate");
  },

  async "request-timeout"(asker) {
    const name = fresh();
    const late = await asker({ path: `/gate?gate=${name}`, fields: ["x-request-timeout", "250ms"] });
    expect(late.status).toBe(504);
    expect(json(late)).toMatchObject({ code: "deadline_exceeded", limit: "X-Request-Timeout" });
    await aborted(instance, name);
    const inTime = await seen(asker, "x-request-timeout", "5m");
    expect(inTime.headers).not.toHaveProperty("x-request-timeout");
    for (const value of ["soon", "-1", "0", "5 s", "1d"]) {
      expect(json(await asker({ path: "/echo", fields: ["x-request-timeout", value] }))).toMatchObject({ code: "malformed_request" });
    }
    const twice = await asker({ path: "/echo", fields: ["x-request-timeout", "1s", "x-request-timeout", "1s"] });
    expect(twice.status).toBe(400);
  },

  async "hop-by-hop"(asker, protocol) {
    const answer = await askRaw(
      urls[protocol],
      get("/echo", "connection: close, x-gone", "x-gone: 1", "x-kept: 2", "te: trailers", "keep-alive: 5", "proxy-authorization: x"),
    );
    const { headers } = JSON.parse(answer.body) as Echo;
    expect(headers).toMatchObject({ "x-kept": "2" });
    for (const name of ["connection", "x-gone", "te", "keep-alive", "proxy-authorization"]) expect(headers).not.toHaveProperty(name);
    const back = await asker("/answers/fields");
    expect([back.all("keep-alive"), back.all("connection")].flat()).not.toContain("timeout=1");
    expect(back.all("connection").join()).not.toContain("x-gone");
    expect(back.field("x-gone")).toBeNull();
    const chunked = "POST /trailers HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\nconnection: X-Gone\r\n\r\n";
    const behind = await askRaw(urls[protocol], `${chunked}1\r\na\r\n0\r\nx-gone: 1\r\nx-kept: 2\r\n\r\n`);
    expect(behind.body).toContain('{"body":"a","trailers":{"x-kept":"2"}}');
  },

  async "own-fields"(asker) {
    const { headers } = await seen(asker, "x-headgate-anything", "1", "x_headgate_shard_key", "1", "x_request_id", "1", "x_own", "1");
    expect(Object.keys(headers).filter((name) => /headgate|request/.test(name))).toEqual([]);
    expect(headers.x_own).toBe("1");
  },

  async unsendable(asker) {
    const answer = await asker("/garbage/value-with-line-end");
    expect(answer.status).toBe(502);
    expect(json(answer)).toMatchObject({ code: "replica_protocol" });
  },

  async "content-length"(asker) {
    const kept = await asker("/answers/kept");
    expect(kept).toMatchObject({ status: 200, body: "onetwo333", whole: true });
    expect(kept.field("content-length")).toBe("9");
    expect(await asker("/answers/short")).toMatchObject({ body: "onetwo333", whole: false });
    expect((await asker("/answers/long")).body).toBe("one");
    await idle();
  },

  async "request-stream"(asker, protocol) {
    const fields = protocol === "HTTP/1.1" ? ["transfer-encoding", "chunked"] : [];
    expect(json(await asker({ method: "POST", path: "/echo", fields, body: "without a length" }))).toMatchObject({
      body: "without a length",
    });
  },

  async "response-stream"(asker, protocol) {
    const answer = await asker("/answers/three");
    expect(answer).toMatchObject({ status: 200, body: "one two three", whole: true });
    expect(answer.field("content-length")).toBeNull();
    expect(answer.field("transfer-encoding")).toBe(protocol === "HTTP/1.1" ? "chunked" : null);
  },

  async "request-trailers"(asker) {
    const trailers = { "x-sum": "abc", "X-Other": "1", "content-type": "text/evil", "x-headgate-own": "1" };
    const answer = await asker({ method: "POST", path: "/trailers", body: "body", trailers });
    expect(json(answer)).toEqual({ body: "body", trailers: { "x-sum": "abc", "x-other": "1" } });
  },

  async "response-trailers"(asker, protocol) {
    const taken = await asker({ path: "/trailers", fields: ["te", "trailers"] });
    expect(taken).toMatchObject({ status: 200, whole: true, trailers: { "x-first": "1", "x-second": "2" } });
    const others = await asker("/trailers");
    expect(others).toMatchObject({ status: 200, whole: true });
    expect(Object.keys(others.trailers).filter((name) => name.startsWith("x-"))).toHaveLength(protocol === "HTTP/1.1" ? 0 : 2);
  },

  async "expect-continue"(asker) {
    const body = "ten bytes.";
    const let_in = await asker({ method: "POST", path: "/small", fields: ["expect", "100-continue"], body });
    expect(let_in).toMatchObject({ status: 200, before: [100] });
    expect(json(let_in)).toMatchObject({ body });
    expect((json(let_in) as Echo).headers).not.toHaveProperty("expect");
    const tooLarge = ["expect", "100-continue", "content-length", "11"];
    const refused = await asker({ method: "POST", path: "/small", fields: tooLarge, body: `${body}.` });
    expect(refused).toMatchObject({ status: 413, before: [] });
    expect(await asker({ method: "POST", path: "/nothing", fields: ["expect", "100-continue"], body })).toMatchObject({
      status: 404,
      before: [],
    });
  },

  async "expect-other"(asker) {
    const answer = await asker({ path: "/echo", fields: ["expect", "a-miracle"] });
    expect(answer.status).toBe(417);
    expect(json(answer)).toMatchObject({ code: "expectation_failed" });
  },

  async informational(asker) {
    expect(json(await asker("/answers/early-hints"))).toMatchObject({ status: 500 });
  },

  async problem(asker) {
    const answer = await asker("/nothing");
    expect(answer.field("content-type")).toBe("application/problem+json");
    expect(json(answer)).toMatchObject({ status: 404, code: "route_not_found", requestId: answer.field("x-request-id") });
  },

  async "keep-alive"(_, protocol) {
    const socket = await openSocket(urls[protocol]);
    for (let round = 0; round < 250; round += 1) {
      const answer = readAnswer(socket);
      socket.write(get("/echo"));
      const { status, headers } = await answer;
      socket.removeAllListeners("data").removeAllListeners("close");
      expect(status).toBe(200);
      expect(headers.get("keep-alive")).toBe("timeout=75");
    }
    socket.destroy();
  },

  async pipelining(_, protocol) {
    const name = fresh();
    const socket = await openSocket(urls[protocol]);
    let text = "";
    socket.on("data", (piece) => (text += piece.toString("latin1")));
    socket.write(`${get(`/gate?gate=${name}`)}${get("/answers/three")}${get("/nothing")}${get("/echo", "connection: close")}`);
    await entered(instance, name);
    expect(text).toBe("");
    await openGate(instance, name);
    await new Promise((resolve) => socket.once("close", resolve));
    expect(text).toMatch(
      /^HTTP\/1\.1 200 [^]*passed g\d+HTTP\/1\.1 200 [^]*three[^]*\nHTTP\/1\.1 404 [^]*\nHTTP\/1\.1 200 [^]*"method"[^]*$/,
    );
  },

  async "http-1-0"(_, protocol) {
    const closed = await askRaw(urls[protocol], "GET /answers/three HTTP/1.0\r\n\r\n");
    expect(closed.text).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\none two three$/);
    expect(closed.headers.get("connection")).toBe("close");
    expect(closed.headers.has("transfer-encoding")).toBe(false);
    const kept = await askRaw(urls[protocol], "GET /echo HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n");
    expect(kept.headers.get("connection")).toBe("keep-alive");
  },

  async "absolute-form"(_, protocol) {
    const answer = await askRaw(urls[protocol], "GET http://a.example/echo?b=1 HTTP/1.1\r\nhost: a.example\r\n\r\n");
    expect(JSON.parse(answer.body)).toMatchObject({ url: "http://a.example/echo?b=1" });
    for (const target of ["http://b.example/echo", "http://a.example@b.example/echo", "ftp://a.example/echo", "http:///echo"]) {
      expect((await askRaw(urls[protocol], `GET ${target} HTTP/1.1\r\nhost: a.example\r\n\r\n`)).status).toBe(400);
    }
  },

  async websocket(_, protocol) {
    const fields = [
      "connection: upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    // This handler accepts none, and answers.
    const answer = await askRaw(urls[protocol], get("/echo", ...fields));
    expect(answer.status).toBe(200);
  },

  async "other-upgrade"(_, protocol) {
    const fields = ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"];
    const answer = await askRaw(urls[protocol], get("/echo", ...fields));
    expect(answer.status).toBe(200);
    expect((JSON.parse(answer.body) as Echo).headers).not.toHaveProperty("http2-settings");
  },

  async multiplexing(_, protocol) {
    await using client = openHttp2(urls[protocol]);
    await new Promise((resolve) => client.session.once("remoteSettings", resolve));
    expect(client.session.remoteSettings.maxConcurrentStreams).toBe(100);
    const name = fresh();
    const slow = readHttp2(client.session.request({ ":path": `/gate?gate=${name}` }));
    await entered(instance, name);
    const others = await Promise.all(Array.from({ length: 50 }, () => readHttp2(client.session.request({ ":path": "/echo" }))));
    expect(others.every(({ status }) => status === 200)).toBe(true);
    await openGate(instance, name);
    expect(await slow).toMatchObject({ status: 200, body: `passed ${name}` });
  },

  async reset(_, protocol) {
    await using client = openHttp2(urls[protocol]);
    for (const code of [0, 8]) {
      const name = fresh();
      const stream = client.session.request({ ":path": `/gate?gate=${name}` });
      stream.on("error", () => undefined);
      await entered(instance, name);
      stream.close(code);
      await aborted(instance, name);
    }
  },

  async push(_, protocol) {
    await using client = openHttp2(urls[protocol]);
    let pushed = 0;
    client.session.on("stream", () => pushed++);
    await readHttp2(client.session.request({ ":path": "/answers/three" }));
    expect(pushed).toBe(0);
  },
};

/** The rows of the table: name and protocols. */
const ROWS = readFileSync(join(REPOSITORY, "docs", "http.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const row = /^\| `([a-z0-9-]+)` \| (1|2|1 2) \|/.exec(line);
    return row === null ? [] : [{ name: row[1] ?? "", over: (row[2] ?? "").split(" ") }];
  });

test("every row of the table has a case, and every case a row", () => {
  expect(Object.keys(CASES).sort()).toEqual(ROWS.map(({ name }) => name).sort());
});

describe.each<[string, Protocol]>([
  ["1", "HTTP/1.1"],
  ["2", "HTTP/2"],
])("%s", (digit, protocol) => {
  const rows = ROWS.filter(({ over }) => over.includes(digit)).map(({ name }) => name);
  test.each(rows)(`over ${protocol}: %s`, async (name) => {
    const asker: Asker = (question) => ask(protocol, urls, typeof question === "string" ? { path: question } : question);
    await CASES[name]?.(asker, protocol);
  });
});

// What a handler returns and what the caller gets for it: each mapping over HTTP. What a handle adds stands at the end.

import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { problem, sendRaw, startInstance } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

/** A handler with one result a name, asked for by the route's parameter. */
function results(request: HandlerRequest): unknown {
  const encoder = new TextEncoder();
  async function* each(...pieces: unknown[]) {
    for (const piece of pieces) {
      await new Promise((done) => setImmediate(done));
      yield piece;
    }
  }
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const made: Readonly<Record<string, () => unknown>> = {
    nothing: () => undefined,
    null: () => null,
    string: () => "grüß dich",
    empty: () => "",
    bytes: () => new Uint8Array([0, 255, 128]),
    buffer: () => Buffer.from([1, 2]),
    arraybuffer: () => new Uint8Array([3, 4]).buffer,
    blob: () => new Blob(["blob"], { type: "text/css" }),
    object: () => ({ a: [1, null, "x"] }),
    list: () => [1, 2],
    number: () => 42,
    zero: () => 0,
    false: () => false,
    date: () => new Date(0),
    promise: async () => ({ later: true }),
    response: () => new Response("made", { status: 418, headers: { "content-type": "text/tea", "x-own": "yes" } }),
    cookies: () => {
      const headers = new Headers();
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response(null, { headers });
    },
    redirect: () => new Response(null, { status: 303, headers: { location: "/elsewhere" } }),
    nocontent: () => new Response(null, { status: 204 }),
    json: () => Response.json({ by: "Response.json" }),
    streamresponse: () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            for (const piece of ["one ", "two"]) {
              await new Promise((done) => setTimeout(done, 5));
              controller.enqueue(encoder.encode(piece));
            }
            controller.close();
          },
        }),
      ),
    stream: () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(encoder.encode("raw"));
          controller.close();
        },
      }),
    texts: () => each("a", "b", "c"),
    objects: () => each({ n: 1 }, { n: 2 }),
    generator: function* () {
      yield "x";
      yield "y";
    },
    large: () => "x".repeat(3_000_000),
    longstream: () => each(...Array.from({ length: 50 }, () => new Uint8Array(100_000))),
    breaks: async function* () {
      yield "begin";
      await new Promise((done) => setTimeout(done, 5));
      throw new Error("the password is hunter2");
    },
    cyclic: () => cyclic,
    bigint: () => 10n,
    function: () => () => 1,
    symbol: () => Symbol("s"),
  };
  const make = made[request.params.kind ?? ""];
  if (make === undefined) throw new Error("no such kind");
  return make();
}
await serve.createBackend("results", results);
await serve.createEndpoint("results", { backend: "results", route: "/r/:kind" });
await serve.createBackend(
  "echo",
  async (request: HandlerRequest) => new Response(await request.arrayBuffer(), { headers: { "x-method": request.method } }),
);
await serve.createEndpoint("echo", { backend: "echo", route: "/echo", methods: ["POST", "PUT"] });

const text = "text/plain; charset=utf-8";
const bytes = "application/octet-stream";
const json = "application/json";

test.each([
  ["nothing", 200, null, ""],
  ["null", 200, null, ""],
  ["string", 200, text, "grüß dich"],
  ["empty", 200, text, ""],
  ["object", 200, json, '{"a":[1,null,"x"]}'],
  ["list", 200, json, "[1,2]"],
  ["number", 200, json, "42"],
  ["zero", 200, json, "0"],
  ["false", 200, json, "false"],
  ["date", 200, json, '"1970-01-01T00:00:00.000Z"'],
  ["promise", 200, json, '{"later":true}'],
  ["json", 200, json, '{"by":"Response.json"}'],
  ["response", 418, "text/tea", "made"],
  ["nocontent", 204, null, ""],
  ["blob", 200, "text/css", "blob"],
  ["stream", 200, bytes, "raw"],
  ["streamresponse", 200, null, "one two"],
  ["texts", 200, text, "abc"],
  ["generator", 200, text, "xy"],
  ["objects", 200, "application/x-ndjson", '{"n":1}\n{"n":2}\n'],
] as const)("%s gives status %i, type %s and the body", async (kind, status, type, body) => {
  const response = await instance.fetch(`/r/${kind}`);
  expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([status, type, body]);
});

test.each([
  ["bytes", [0, 255, 128]],
  ["buffer", [1, 2]],
  ["arraybuffer", [3, 4]],
] as const)("%s goes out as bytes, unchanged", async (kind, expected) => {
  const response = await instance.fetch(`/r/${kind}`);
  expect(response.headers.get("content-type")).toBe(bytes);
  expect([...new Uint8Array(await response.arrayBuffer())]).toEqual(expected);
});

test("a Response keeps its fields: own ones, several cookies, and a redirect's target", async () => {
  expect((await instance.fetch("/r/response")).headers.get("x-own")).toBe("yes");
  expect((await instance.fetch("/r/cookies")).headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  const redirect = await instance.fetch("/r/redirect", { redirect: "manual" });
  expect([redirect.status, redirect.headers.get("location")]).toEqual([303, "/elsewhere"]);
});

test("large results arrive whole, at once or streamed", async () => {
  expect((await instance.text("/r/large")).length).toBe(3_000_000);
  expect((await (await instance.fetch("/r/longstream")).arrayBuffer()).byteLength).toBe(5_000_000);
});

test.each(["cyclic", "bigint", "function", "symbol"])("%s has no JSON form: 500 that says so by its code", async (kind) => {
  expect(await problem(await instance.fetch(`/r/${kind}`))).toMatchObject({ status: 500, code: "handler_result_invalid" });
});

test("a stream that breaks off is cut, so that nobody takes it for whole, and tells no secret", async () => {
  await expect(instance.text("/r/breaks")).rejects.toThrow();
  const raw = await sendRaw(serve.httpUrl, "GET /r/breaks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  expect(raw).toContain("begin");
  expect(raw).not.toContain("hunter2");
  expect(raw).not.toMatch(/\r\n0\r\n\r\n$/);
  expect((await instance.fetch("/r/string")).status).toBe(200);
});

test("HEAD gives the fields of GET without the body", async () => {
  const response = await instance.fetch("/r/string", { method: "HEAD" });
  expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([200, text, ""]);
});

test("bodies arrive at the handler unchanged, small and large", async () => {
  for (const size of [0, 1, 65_535, 65_536, 65_537, 2_000_000]) {
    const body = Buffer.alloc(size, "headgate");
    const response = await instance.fetch("/echo", { method: "PUT", body });
    expect(response.headers.get("x-method")).toBe("PUT");
    expect(Buffer.compare(Buffer.from(await response.arrayBuffer()), body)).toBe(0);
  }
});

test("a handle sends text, bytes and JSON, and gets the same results as HTTP", async () => {
  const echo = serve.handle("echo");
  expect(await (await echo.send("text")).text()).toBe("text");
  expect([...new Uint8Array(await (await echo.send(new Uint8Array([7, 8]))).arrayBuffer())]).toEqual([7, 8]);
  expect(await (await echo.send({ a: 1 })).json()).toEqual({ a: 1 });
  expect((await (await echo.send("y".repeat(1_000_000))).text()).length).toBe(1_000_000);
});

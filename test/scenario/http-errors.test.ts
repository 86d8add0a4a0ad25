// What callers of HTTP get wrong, and what they are told: status, problem+json with a request id, nothing of the inside.
// Faults of handlers and replicas stand in failures.test.ts.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { GATE_FILES, aborted, entered } from "../support/gate.ts";
import { askRaw, readAnswer } from "../support/raw-http.ts";
import { type TestInstance, openSocket, problem, startInstance, waitFor } from "../support/instance.ts";

const KIB = 1024;

let instance: TestInstance;
let url: string;
beforeAll(async () => {
  instance = await startInstance({ files: GATE_FILES });
  const { serve } = instance;
  url = serve.httpUrl;
  await serve.createBackend("echo", async (request: Request) => ({
    method: request.method,
    bytes: (await request.arrayBuffer()).byteLength,
    headers: Object.fromEntries(request.headers),
  }));
  await serve.createBackend("gate", "./gate.ts#gate");
  await serve.createEndpoint("echo", { backend: "echo", route: "/echo", methods: ["GET", "POST"] });
  await serve.createEndpoint("posted", { backend: "echo", route: "/posted", methods: ["POST"] });
  await serve.createEndpoint("small", { backend: "echo", route: "/small", methods: ["POST"], maxBodyBytes: 1000 });
  await serve.createEndpoint("gate", { backend: "gate", route: "/gate", methods: ["GET", "POST"] });
});
afterAll(async () => {
  // Whatever came in: the bridge is the one that it was, and serves.
  const { bridges } = await instance.serve.status();
  await instance[Symbol.asyncDispose]();
  expect(bridges).toMatchObject([{ state: "serving", restarts: 0 }]);
});

const get = (path: string, ...fields: readonly string[]): string => [`GET ${path} HTTP/1.1`, "host: x", ...fields, "", ""].join("\r\n");

describe("every error is a problem with a request id", () => {
  test("an unknown path is 404", async () => {
    const response = await instance.fetch("/nothing?secret=1");
    expect(response.status).toBe(404);
    const body = await problem(response);
    expect(body).toMatchObject({
      status: 404,
      code: "route_not_found",
      title: expect.any(String),
      detail: expect.stringContaining("/nothing"),
    });
    expect(body.requestId).toBe(response.headers.get("x-request-id"));
    expect(JSON.stringify(body)).not.toMatch(/secret|node:|\.ts:|\bat /);
  });

  test("the caller's request id comes back", async () => {
    const response = await instance.fetch("/nothing", { headers: { "x-request-id": "mine-1" } });
    expect(await problem(response)).toMatchObject({ requestId: "mine-1" });
  });

  test("a request id that is none is replaced", async () => {
    const response = await instance.fetch("/nothing", { headers: { "x-request-id": "<script>alert(1)</script>" } });
    expect(await response.text()).not.toContain("script");
  });

  test("an unknown path of Headgate's own is 404", async () => {
    expect(await problem(await instance.fetch("/-/secrets"))).toMatchObject({ status: 404, code: "route_not_found" });
  });
});

describe("methods", () => {
  test("a method that is not listed is 405 with Allow", async () => {
    const response = await instance.fetch("/posted");
    expect(response.headers.get("allow")).toBe("OPTIONS, POST");
    expect(await problem(response)).toMatchObject({ status: 405, code: "method_not_allowed" });
  });

  test("HEAD follows GET: the same fields and no body", async () => {
    const head = await instance.fetch("/echo", { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-type")).toBe("application/json");
    expect(await head.text()).toBe("");
  });

  test("HEAD is not allowed where GET is not", async () => {
    const response = await instance.fetch("/posted", { method: "HEAD" });
    expect(response.status).toBe(405);
    expect(await response.text()).toBe("");
  });

  test("OPTIONS is answered with Allow", async () => {
    const response = await instance.fetch("/echo", { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("GET, HEAD, OPTIONS, POST");
  });

  test("OPTIONS of an unknown path is 404", async () => {
    expect((await instance.fetch("/nothing", { method: "OPTIONS" })).status).toBe(404);
  });
});

describe("a limit that is passed is named", () => {
  test("a URL over 8 KiB is 414", async () => {
    const response = await instance.fetch(`/echo?${"x".repeat(9 * KIB)}`);
    expect(await problem(response)).toMatchObject({ status: 414, code: "uri_too_long", limit: "urlBytes" });
  });

  test("a header section over 60 KiB is 431", async () => {
    const answer = await askRaw(url, get("/echo", `x-large: ${"x".repeat(70 * KIB)}`));
    expect(answer.status).toBe(431);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "headers_too_large", limit: "headerBytes" });
  });

  test("more than 100 header fields are 431", async () => {
    const answer = await askRaw(url, get("/echo", ...Array.from({ length: 120 }, (_, index) => `x-field-${index}: 1`)));
    expect(answer.status).toBe(431);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "headers_too_large", limit: "headerFields" });
  });

  test("99 header fields pass", async () => {
    const answer = await askRaw(url, get("/echo", ...Array.from({ length: 98 }, (_, index) => `x-field-${index}: 1`)));
    expect(answer.status).toBe(200);
  });

  test("a body over its endpoint's limit is 413, as Content-Length says it", async () => {
    const response = await instance.fetch("/small", { method: "POST", body: "x".repeat(1001) });
    expect(await problem(response)).toMatchObject({
      status: 413,
      code: "body_too_large",
      limit: "maxBodyBytes",
      detail: expect.stringContaining("1000"),
    });
  });

  test("a body over its endpoint's limit is 413, as it comes in chunks", async () => {
    const answer = await askRaw(
      url,
      `POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n${"x".repeat(1001)}\r\n0\r\n\r\n`,
    );
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "body_too_large", limit: "maxBodyBytes" });
  });

  test("a body of exactly the limit passes", async () => {
    expect(await (await instance.fetch("/small", { method: "POST", body: "x".repeat(1000) })).json()).toMatchObject({ bytes: 1000 });
  });

  test("a body over the 10 MiB that every endpoint has is 413 before it is sent", async () => {
    const answer = await askRaw(url, `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: ${11 * KIB * KIB}\r\n\r\n`);
    expect(answer.status).toBe(413);
  });
});

describe("malformed HTTP is refused and never repaired", () => {
  test.each<[string, string]>([
    ["no HTTP at all", "hello\r\n\r\n"],
    ["a version that there is not", "GET /echo HTTP/9.9\r\nhost: x\r\n\r\n"],
    ["no Host", "GET /echo HTTP/1.1\r\n\r\n"],
    ["two Hosts", get("/echo", "host: y")],
    ["a target that is no path", get("echo")],
    ["a field without a colon", get("/echo", "nonsense")],
    ["a space before a field's colon", get("/echo", "x-a : 1")],
    ["a folded field", get("/echo", "x-a: 1", " 2")],
    ["a NUL in a field", get("/echo", "x-a: a\0b")],
    ["two different Content-Lengths", get("/echo", "content-length: 1", "content-length: 2")],
    ["two equal Content-Lengths", get("/echo", "content-length: 0", "content-length: 0")],
    ["a Content-Length that is no number", get("/echo", "content-length: +1")],
    [
      "Content-Length with Transfer-Encoding",
      `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["a transfer coding that is not chunked", `POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n`],
    ["a chunk's length that is none", `POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nxx\r\n0\r\n\r\n`],
    ["line ends without CR", "GET /echo HTTP/1.1\nhost: x\n\n"],
    ["an underscore where a dash twin stands", get("/echo", "x-user: a", "x_user: b")],
    ["the greeting of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ])("%s", async (_, bytes) => {
    const answer = await askRaw(url, bytes);
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(JSON.parse(answer.body)).toMatchObject({ status: 400, code: "malformed_request" });
    expect(answer.text.match(/^HTTP\/1\.1 \d/gm)).toHaveLength(1);
  });

  test("what follows a refused request on its connection is not run", async () => {
    const answer = await askRaw(
      url,
      `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${get("/echo")}`,
    );
    expect(answer.text).not.toContain("200 OK");
  });
});

describe("fields that the platform reads cannot be forged", () => {
  test("hop-by-hop fields and what Connection names do not reach the handler", async () => {
    const answer = await askRaw(
      url,
      get("/echo", "connection: close, x-secret", "x-secret: 1", "x-kept: 2", "te: trailers", "keep-alive: 5"),
    );
    const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
    expect(headers).toMatchObject({ "x-kept": "2", host: "x" });
    for (const name of ["x-secret", "connection", "te", "keep-alive"]) expect(headers).not.toHaveProperty(name);
  });

  test("fields of Headgate's own do not reach the handler", async () => {
    const response = await instance.fetch("/echo", { headers: { "x-headgate-anything": "1" } });
    const { headers } = (await response.json()) as { headers: Record<string, string> };
    expect(headers).not.toHaveProperty("x-headgate-anything");
  });
});

describe("a caller that hangs up", () => {
  test("before the answer: the handler's signal is aborted", async () => {
    const socket = await openSocket(url);
    socket.write(get("/gate?gate=left"));
    await entered(instance, "left");
    socket.destroy();
    await aborted(instance, "left");
  });

  test("in the middle of its body: the handler hears of it and the next request is right", async () => {
    const socket = await openSocket(url);
    socket.write("POST /gate?gate=half HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await entered(instance, "half");
    socket.destroy();
    await aborted(instance, "half");
    expect((await instance.fetch("/echo")).status).toBe(200);
  });

  test("with a reset: the instance goes on", async () => {
    for (let round = 0; round < 20; round += 1) {
      const socket = await openSocket(url);
      socket.write(get("/echo"));
      socket.resetAndDestroy();
    }
    expect((await instance.fetch("/echo")).status).toBe(200);
  });

  test("without having sent a whole head: nothing is left in flight", async () => {
    const socket = await openSocket(url);
    socket.write("GET /echo HTTP/1.1\r\nhos");
    socket.destroy();
    await waitFor("an idle bridge", async () => (await instance.serve.status()).bridges.every(({ inFlight }) => inFlight === 0));
  });
});

test("requests on one connection are answered in their order, pipelined or not", async () => {
  const socket = await openSocket(url);
  socket.write(`${get("/nothing")}${get("/echo")}`);
  const first = await readAnswer(socket);
  expect(first.status).toBe(404);
  const text = await waitFor("the second answer", async () => {
    socket.write(get("/echo", "connection: close"));
    return (await readAnswer(socket)).text;
  });
  expect(text).toContain("HTTP/1.1 200");
  socket.destroy();
});

// Cross-origin access: what a browser is told of an endpoint with a policy, on every kind of answer, and of one without.

import { afterAll, expect, test } from "@jest/globals";
import { startInstance } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend({
  name: "api",
  handler: async function* (request) {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/throws")) throw new Error("no");
    if (pathname.endsWith("/forever")) await new Promise(() => undefined);
    yield "first ";
    yield "second";
  },
});
await serve.createBackend("own", () => {
  const headers = { "access-control-allow-origin": "https://handler.example", "access-control-expose-headers": "x-own", vary: "Accept" };
  return new Response("own", { headers });
});
await serve.createBackend({ name: "options", handler: (request) => request.method });
const APP = "https://app.example.com";
await serve.createEndpoint("api", {
  backend: "api",
  route: "/api/*",
  methods: ["GET", "PUT"],
  requestTimeoutMs: 300,
  maxBodyBytes: 10,
  cors: {
    origins: [APP, "http://localhost:5173"],
    headers: ["Content-Type", "X-Token"],
    exposeHeaders: ["X-Request-Id"],
    credentials: true,
  },
});

type Init = Omit<RequestInit, "headers"> & { readonly headers?: Readonly<Record<string, string>> };
const ask = (path: string, origin: string | null, init: Init = {}) =>
  instance.fetch(path, { ...init, headers: { ...(origin === null ? {} : { origin }), ...init.headers } });
const corsOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"));

const ALLOWED = {
  "access-control-allow-origin": APP,
  "access-control-allow-credentials": "true",
  "access-control-expose-headers": "x-request-id",
  vary: "Origin",
};

test("a preflight is answered by the bridge, with what the policy says", async () => {
  const response = await ask("/api/x", APP, {
    method: "OPTIONS",
    headers: { "access-control-request-method": "PUT", "access-control-request-headers": "content-type,x-token" },
  });
  expect(response.status).toBe(204);
  expect(await response.text()).toBe("");
  expect(corsOf(response)).toEqual({
    ...ALLOWED,
    "access-control-allow-methods": "GET, HEAD, OPTIONS, PUT",
    "access-control-allow-headers": "content-type, x-token",
    "access-control-max-age": "600",
    vary: "Access-Control-Request-Method, Access-Control-Request-Headers, Origin",
  });
});

test.each<[string, string, Init, number]>([
  ["a stream", "/api/x", {}, 200],
  ["an answer to HEAD", "/api/x", { method: "HEAD" }, 200],
  ["a handler that throws", "/api/throws", {}, 500],
  ["a deadline that passes", "/api/forever", {}, 504],
  ["a method that is not served", "/api/x", { method: "DELETE" }, 405],
  ["a body that is too large", "/api/x", { method: "PUT", body: "x".repeat(11) }, 413],
  ["OPTIONS without a preflight's question", "/api/x", { method: "OPTIONS" }, 204],
])("%s carries the fields too", async (_what, path, init, status) => {
  const response = await ask(path, APP, init);
  expect(response.status).toBe(status);
  expect(corsOf(response)).toEqual(ALLOWED);
  expect((await ask(path, "https://evil.example", init)).headers.get("access-control-allow-origin")).toBeNull();
});

test("an origin that is not listed gets no CORS field and its answer all the same; caches are told", async () => {
  for (const origin of [null, "https://evil.example", "null", `${APP}.evil.example`]) {
    const response = await ask("/api/x", origin);
    expect([response.status, await response.text(), corsOf(response)]).toEqual([200, "first second", { vary: "Origin" }]);
  }
  const preflight = await ask("/api/x", "https://evil.example", { method: "OPTIONS", headers: { "access-control-request-method": "PUT" } });
  expect(preflight.status).toBe(204);
  expect(Object.keys(corsOf(preflight))).toEqual(["vary"]);
});

test("where the endpoint has a policy the handler's own fields give way; without one they go out as they are", async () => {
  await serve.createEndpoint("own", { backend: "own", route: "/own" });
  expect(corsOf(await ask("/own", APP))).toEqual({
    "access-control-allow-origin": "https://handler.example",
    "access-control-expose-headers": "x-own",
    vary: "Accept",
  });
  await serve.updateEndpoint("own", { cors: { origins: "*" } });
  expect(corsOf(await ask("/own", APP))).toEqual({ "access-control-allow-origin": "*", vary: "Accept, Origin" });
  expect(corsOf(await ask("/own", null))).toEqual({ vary: "Accept, Origin" });
  await serve.updateEndpoint("own", { cors: null });
  expect((await ask("/own", APP)).headers.get("access-control-allow-origin")).toBe("https://handler.example");
});

test("a handler that serves OPTIONS itself gets all but preflights", async () => {
  await serve.createEndpoint("options", {
    backend: "options",
    route: "/options",
    methods: ["OPTIONS"],
    cors: { origins: "*", headers: "*" },
  });
  expect(await (await ask("/options", APP, { method: "OPTIONS" })).text()).toBe("OPTIONS");
  const preflight = await ask("/options", APP, {
    method: "OPTIONS",
    headers: { "access-control-request-method": "OPTIONS", "access-control-request-headers": "authorization" },
  });
  expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).toEqual([204, "authorization"]);
});

test("credentials for any origin are refused with the reason", async () => {
  await expect(serve.updateEndpoint("api", { cors: { origins: "*", credentials: true } })).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining("list the origins"),
    details: { field: "cors.credentials" },
  });
  expect((await serve.getEndpoint("api")).cors?.origins).toEqual([APP, "http://localhost:5173"]);
});

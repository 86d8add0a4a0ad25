// How the path of a request finds its endpoint: exact, parameters, wildcards, and which of them wins. Over real HTTP.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { askRaw } from "../support/raw-http.ts";
import { type TestInstance, problem, startInstance } from "../support/instance.ts";

const ROUTES: Readonly<Record<string, string>> = {
  root: "/",
  items: "/items",
  item: "/items/:id",
  special: "/items/special",
  parts: "/items/:id/parts/:part",
  files: "/files/*",
  readme: "/files/docs/readme",
  document: "/files/docs/:name",
  proto: "/__proto__",
};

let instance: TestInstance;
beforeAll(async () => {
  instance = await startInstance();
  const { serve } = instance;
  for (const [name, route] of Object.entries(ROUTES)) {
    // Each endpoint has a backend of its own where that matters; the name comes by its environment.
    await serve.createBackend({
      name,
      handler: (request: Request & { params: Record<string, string> }) => ({
        endpoint: process.env.ENDPOINT,
        params: request.params,
        search: new URL(request.url).search,
      }),
      config: { env: { ENDPOINT: name } },
    });
    await serve.createEndpoint(name, { backend: name, route });
  }
}, 120_000);
afterAll(async () => {
  await instance?.[Symbol.asyncDispose]();
});

const at = async (path: string): Promise<unknown> => {
  const response = await instance.fetch(path);
  return response.ok ? response.json() : response.status;
};

describe("a path finds its endpoint", () => {
  test.each([
    ["an exact path", "/items", { endpoint: "items", params: {} }],
    ["the root", "/", { endpoint: "root", params: {} }],
    ["one parameter", "/items/42", { endpoint: "item", params: { id: "42" } }],
    ["two parameters", "/items/42/parts/left", { endpoint: "parts", params: { id: "42", part: "left" } }],
    ["a wildcard takes the rest, slashes too", "/files/a/b/c.txt", { endpoint: "files", params: { "*": "a/b/c.txt" } }],
    ["a wildcard takes nothing as well", "/files", { endpoint: "files", params: { "*": "" } }],
    ["a parameter comes percent-decoded", "/items/caf%C3%A9%20noir", { endpoint: "item", params: { id: "café noir" } }],
    ["a name that JavaScript knows is a plain path", "/__proto__", { endpoint: "proto", params: {} }],
  ])("%s", async (_, path, expected) => {
    expect(await at(path)).toMatchObject(expected);
  });
});

describe("precedence is deterministic", () => {
  test.each([
    ["a literal goes before a parameter", "/items/special", "special"],
    ["a literal goes before a parameter, deeper down too", "/files/docs/readme", "readme"],
    ["a parameter goes before a wildcard", "/files/docs/other", "document"],
    ["what begins like a longer route and is none falls back to the wildcard", "/files/docs/other/more", "files"],
    ["what begins like a literal and is none falls back to the parameter", "/items/special/parts/x", "parts"],
  ])("%s", async (_, path, endpoint) => {
    expect(await at(path)).toMatchObject({ endpoint });
  });
});

test("a trailing slash does not decide", async () => {
  expect(await at("/items/")).toMatchObject({ endpoint: "items" });
  expect(await at("/items/42/")).toMatchObject({ endpoint: "item", params: { id: "42" } });
});

test("a query string does not decide, and reaches the handler as it was sent", async () => {
  expect(await at("/items?id=7&x=%2F..%2F")).toEqual({ endpoint: "items", params: {}, search: "?id=7&x=%2F..%2F" });
});

test.each([["/nothing"], ["/items/1/2"], ["/Items"], ["/items//parts/x"]])("a path that no route has is not found: %s", async (path) => {
  const response = await instance.fetch(path);
  expect(await problem(response)).toMatchObject({ status: 404, code: "route_not_found" });
});

test.each([
  ["a dot segment", "/files/../items"],
  ["an encoded dot segment", "/files/%2e%2e/items"],
  ["an encoded slash", "/items/a%2fb"],
  ["a backslash", "/items/a\\b"],
  ["an encoded NUL", "/items/a%00b"],
])("a path that could be read in two ways is refused: %s", async (_, path) => {
  const answer = await askRaw(instance.serve.httpUrl, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({ code: "malformed_request" });
});

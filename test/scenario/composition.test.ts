// Composition: handlers that call other endpoints. What comes back, and what of a request goes along with the calls made for it.

import { afterAll, expect, test } from "@jest/globals";
import { COMPOSED_FILES, KINDS_METHODS, type Kinds, type Seen, type gather, type relay } from "../support/composed.ts";
import { problem, startInstance, waitFor, written } from "../support/instance.ts";

const instance = await startInstance({ files: COMPOSED_FILES });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend({ name: "kinds", handler: "./composed.ts#Kinds", config: { methods: KINDS_METHODS } });
await serve.createEndpoint("kinds", { backend: "kinds", route: "/kinds" });
for (const name of ["gather", "relay", "attempt", "pass", "hold"]) {
  await serve.createBackend(name, `./composed.ts#${name}`);
  await serve.createEndpoint(name, { backend: name, route: name === "pass" ? "/pass/*" : `/${name}`, methods: ["GET", "POST"] });
}

/** What a file has; null: nothing yet. */
const read = (file: string): Promise<string | null> => written(instance, file);
const relayed = async (query = "", headers: Readonly<Record<string, string>> = {}) =>
  // As the handler of "relay" answers.
  (await (await instance.fetch(`/relay${query}`, { headers })).json()) as Awaited<ReturnType<typeof relay>>;
const withOptions = (options: object): string => `?with=${encodeURIComponent(JSON.stringify(options))}`;

const ALL = {
  handle: "the handle method",
  text: "text ✓",
  bytes: [0, 255, 1],
  swap: { x: 2, y: 1 },
  large: 199_999,
  nothing: "undefined",
  response: [201, "hand", { made: true }],
  points: [1_000, { x: 999, y: -999 }],
  words: "one two three",
  none: 0,
};

test("a call gives back what the handler returned, whatever that is", async () => {
  expect(await (await instance.fetch("/gather")).json()).toEqual(ALL);
});

test("a program calls as a handler does, typed by the handler", async () => {
  expect(await serve.handle<typeof gather>("gather").call()).toEqual(ALL);
  const { methods } = serve.handle<typeof Kinds>("kinds");
  const { x, y } = await methods.swap({ x: 3, y: 4 });
  expect([x, y]).toEqual([4, 3]);
  const xs: number[] = [];
  for await (const point of await methods.points()) {
    xs.push(point.x);
    if (xs.length === 3) break;
  }
  expect(xs).toEqual([0, 1, 2]);
  expect(await serve.handle("kinds", { method: "text" }).call()).toBe("text ✓");
});

test("the request id goes along, and the logs of every replica have it", async () => {
  const { here, there } = await relayed("", { "x-request-id": "id-of-the-caller" });
  expect([here.id, there.id]).toEqual(["id-of-the-caller", "id-of-the-caller"]);
  await instance.fetch("/attempt?method=throws&uncaught", { headers: { "x-request-id": "id-to-look-for" } });
  for (const source of ["kinds", "attempt"]) {
    await waitFor(`the id in the log of ${source}`, async () => {
      for await (const { line } of serve.logs({ source, tailLines: 1_000 })) if (line.includes("id-to-look-for")) return true;
      return false;
    });
  }
});

test("the trace context goes along, unless the handler gives its own", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const first = await relayed("", { traceparent, tracestate: "vendor=1", cookie: "secret=1" });
  expect(first.here.traceparent?.slice(0, 35)).toBe(traceparent.slice(0, 35));
  expect(first.there).toMatchObject({ traceparent: first.here.traceparent, tracestate: "vendor=1" });
  const second = await relayed(withOptions({ headers: { TraceParent: own } }), { traceparent, tracestate: "vendor=1" });
  expect(second.there).toMatchObject({ traceparent: own, tracestate: "vendor=1" });
});

test("a call has what is left of the deadline, or less where the handler says so, and never more", async () => {
  const within = (seen: Seen, least: number, most: number): void => {
    expect(seen.remainingMs).toBeGreaterThan(least);
    // Deadlines go over the wire in whole milliseconds.
    expect(seen.remainingMs).toBeLessThanOrEqual(most + 1);
  };
  await serve.updateEndpoint("relay", { requestTimeoutMs: 30_000 });
  const plain = await relayed();
  within(plain.here, 0, 30_000);
  within(plain.there, 0, plain.here.remainingMs);
  within((await relayed(withOptions({ timeoutMs: 5_000 }))).there, 0, 5_000);
  const raised = await relayed(withOptions({ timeoutMs: 50_000 }));
  within(raised.there, 0, raised.here.remainingMs);
  await serve.updateEndpoint("kinds", { requestTimeoutMs: 20_000 });
  within((await relayed()).there, 0, 20_000);
  await serve.updateEndpoint("kinds", { requestTimeoutMs: 60_000 });
});

test("a deadline that passes ends the calls made for the request, two handlers down", async () => {
  await serve.updateEndpoint("pass", { requestTimeoutMs: 1_000 });
  expect(await problem(await instance.fetch("/pass/pass/hold/?name=late"))).toMatchObject({ code: "deadline_exceeded" });
  await serve.updateEndpoint("pass", { requestTimeoutMs: 60_000 });
  await waitFor("the abort of the last handler", () => read("aborted-late"));
});

test("a caller who leaves ends the calls made for its request, two handlers down", async () => {
  const times: number[] = [];
  for (const name of ["left-1", "left-2", "left-3"]) {
    const leaving = new AbortController();
    const left = instance.fetch(`/pass/pass/hold/?name=${name}`, { signal: leaving.signal });
    await waitFor("the request in the last handler", () => read(`held-${name}`));
    const leftAt = Date.now();
    leaving.abort();
    await expect(left).rejects.toThrow();
    times.push(Number(await waitFor("the abort of the last handler", () => read(`aborted-${name}`))) - leftAt);
  }
  console.info(`from the caller's leaving to the abort two handlers down: ${times.join(", ")} ms`);
  for (const ms of times) expect(ms).toBeLessThan(5_000);
});

test("a program's own signal ends its call, and the calls made for it", async () => {
  const leaving = new AbortController();
  const call = serve.handle("pass").call(undefined, { path: "/hold/?name=program", signal: leaving.signal });
  await waitFor("the request in the last handler", () => read("held-program"));
  leaving.abort();
  await expect(call).rejects.toMatchObject({ code: "cancelled" });
  await waitFor("the abort of the last handler", () => read("aborted-program"));
});

test("what is called on behalf of a shadow knows that it is one", async () => {
  await serve.createBackend({ name: "shadowed", handler: () => "real" });
  await serve.createEndpoint("shadowed", { backend: "shadowed", route: "/shadowed" });
  await serve.createBackend("copy", async (request) => {
    const { writeFileSync } = process.getBuiltinModule("node:fs");
    const there = await request.handle<typeof Kinds>("kinds").methods.see();
    writeFileSync("seen-by-shadow", JSON.stringify([request.isShadow, there.isShadow, there.id === request.requestId]));
  });
  await serve.shadowTraffic("shadowed", "copy", 1);
  // A copy that finds no connection yet is left out.
  const copied = await waitFor("the shadow", async () => {
    expect(await instance.text("/shadowed")).toBe("real");
    return read("seen-by-shadow");
  });
  expect(JSON.parse(copied)).toEqual([true, true, true]);
  expect((await relayed()).there.isShadow).toBe(false);
});

test("requests with one shard key go to one backend, from handlers too", async () => {
  for (const name of ["a", "b"])
    await serve.createBackend({ name, handler: "./composed.ts#Kinds", config: { methods: KINDS_METHODS, env: { BACKEND: name } } });
  await serve.createEndpoint("split", { traffic: { a: 0.5, b: 0.5 } });
  await serve.createBackend("keyed", async (request) => {
    const { searchParams } = new URL(request.url);
    const handle = request.handle<typeof Kinds>("split", { shardKey: searchParams.get("key") ?? "" });
    const seen = new Set<string>();
    for (let i = 0; i < 10; i++) seen.add((await handle.methods.see()).backend);
    return [...seen];
  });
  await serve.createEndpoint("keyed", { backend: "keyed", route: "/keyed" });
  const all = new Set<string>();
  for (let key = 0; key < 12; key++) {
    // As the handler of "keyed" answers.
    const seen = (await (await instance.fetch(`/keyed?key=${key}`)).json()) as string[];
    expect(seen).toHaveLength(1);
    all.add(seen[0] ?? "");
  }
  expect(all).toEqual(new Set(["a", "b"]));
});

test("an endpoint that was made this moment is there for a handler that knew another table", async () => {
  for (let n = 0; n < 5; n++) {
    await serve.createEndpoint(`fresh-${n}`, { backend: "kinds" });
    expect(await (await instance.fetch(`/attempt?endpoint=fresh-${n}`)).json()).toEqual({ result: "the handle method" });
  }
});

test.each([
  ["timeoutMs", { timeoutMs: 0 }],
  ["path", { path: "no-slash" }],
  ["path", { path: `/${"x".repeat(8_192)}` }],
  ["headers", { headers: { "not a name": "x" } }],
  ["headers", { headers: { "x-split": "a\r\nb: c" } }],
])("a bad %s is refused before anything is sent", async (field, options) => {
  await expect(serve.handle("kinds").call(undefined, options)).rejects.toMatchObject({ code: "invalid_argument", details: { field } });
});

test("header fields are held to the limits of any request, and those of a connection stay behind", async () => {
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, ""]));
  for (const [limit, headers] of [
    ["headerFields", many],
    ["headerBytes", { "x-large": "x".repeat(61_440) }],
  ] as const) {
    await expect(serve.handle("kinds").call(undefined, { headers })).rejects.toMatchObject({
      code: "headers_too_large",
      details: { limit },
    });
  }
  await serve.createBackend("fields", (request) => [...request.headers.keys()]);
  await serve.createEndpoint("fields", { backend: "fields" });
  const headers = { "content-length": "7", Connection: "close", "X-Own": "1" };
  expect(await serve.handle("fields").call(undefined, { headers })).toEqual(["x-own"]);
});

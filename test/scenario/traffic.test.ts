// Traffic: how an endpoint's requests are split over backends, and that a split is replaced whole or not at all.

import { afterAll, expect, test } from "@jest/globals";
import { openSocket, startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend("a", () => "a");
await serve.createBackend("b", () => "b");
await serve.createBackend("c", () => "c");
await serve.createEndpoint("split", { backend: "a", route: "/split" });

/** How many of so many requests each backend answered. */
async function counts(requests: number): Promise<Readonly<Record<string, number>>> {
  const result: Record<string, number> = {};
  for (let request = 0; request < requests; request += 1) {
    const text = await instance.text("/split");
    result[text] = (result[text] ?? 0) + 1;
  }
  return result;
}

test("requests follow the weights closely, not by a random draw", async () => {
  expect((await serve.setTraffic("split", { a: 0.9, b: 0.1 })).traffic).toEqual({ a: 0.9, b: 0.1 });
  for (let round = 0; round < 3; round += 1) {
    const { a = 0, b = 0 } = await counts(100);
    expect(a + b).toBe(100);
    // A random draw would miss by more than this in one round of four.
    expect(Math.abs(b - 10)).toBeLessThanOrEqual(3);
  }
});

test("a new split replaces the whole map and is in force when the call returns", async () => {
  await serve.setTraffic("split", { a: 0.5, b: 0.5 });
  await serve.setTraffic("split", { c: 1 });
  expect(await counts(20)).toEqual({ c: 20 });
  expect((await serve.listEndpoints()).split).toEqual({ route: "/split", methods: ["GET"], traffic: { c: 1 } });
});

test("a backend with weight 0 gets nothing but stays in use", async () => {
  await serve.setTraffic("split", { a: 1, b: 0 });
  expect(await counts(20)).toEqual({ a: 20 });
  await expect(serve.deleteBackend("b")).rejects.toMatchObject({ code: "backend_in_use", message: expect.stringContaining("split") });
});

test("weights may miss 1 by rounding: within 1e-8 they are taken", async () => {
  const third = 1 / 3;
  await serve.setTraffic("split", { a: third, b: third, c: third });
  const { a = 0, b = 0, c = 0 } = await counts(99);
  for (const count of [a, b, c]) expect(Math.abs(count - 33)).toBeLessThanOrEqual(3);
  await serve.setTraffic("split", { a: 0.5, b: 0.500000005 });
});

test.each<[string, Record<string, number>]>([
  ["a sum below 1", { a: 0.5, b: 0.4 }],
  ["a sum above 1", { a: 1, b: 0.1 }],
  ["a sum that misses 1 by more than 1e-8", { a: 0.5, b: 0.50000002 }],
  ["a negative weight", { a: 1.5, b: -0.5 }],
  ["a weight that is no number", { a: Number.NaN, b: 1 }],
  ["an endless weight", { a: Number.POSITIVE_INFINITY }],
  ["no backend at all", {}],
])("%s is refused and the old split stays", async (_what, weights) => {
  await serve.setTraffic("split", { b: 1 });
  await expect(serve.setTraffic("split", weights)).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "traffic" },
    retryable: false,
  });
  expect((await serve.getEndpoint("split")).traffic).toEqual({ b: 1 });
  expect(await counts(5)).toEqual({ b: 5 });
});

test("a split over a backend that does not exist is refused by its name and the old split stays", async () => {
  await serve.setTraffic("split", { b: 1 });
  await expect(serve.setTraffic("split", { a: 0.5, nobody: 0.5 })).rejects.toMatchObject({
    code: "backend_not_found",
    message: expect.stringContaining("nobody"),
  });
  expect((await serve.getEndpoint("split")).traffic).toEqual({ b: 1 });
});

test("a split of an endpoint that does not exist is refused by its name", async () => {
  await expect(serve.setTraffic("nowhere", { a: 1 })).rejects.toMatchObject({
    code: "endpoint_not_found",
    message: expect.stringContaining("nowhere"),
  });
});

test("a backend named constructor is one like any other", async () => {
  await serve.createBackend("constructor", () => "plain");
  await serve.setTraffic("split", { constructor: 1 });
  expect(await counts(3)).toEqual({ plain: 3 });
  await serve.setTraffic("split", { a: 1 });
  expect(await serve.deleteBackend("constructor")).toBe(true);
});

test("no request is lost while the split changes under load", async () => {
  let going = true;
  const statuses: number[] = [];
  const callers = Array.from({ length: 4 }, async () => {
    while (going) statuses.push((await instance.fetch("/split")).status);
  });
  for (let change = 0; change < 20; change += 1) await serve.setTraffic("split", change % 2 === 0 ? { a: 1 } : { b: 0.5, c: 0.5 });
  going = false;
  await Promise.all(callers);
  expect(statuses.length).toBeGreaterThan(0);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
});

test("a request whose body is still on its way when its backend leaves the split goes by the split of then", async () => {
  await serve.createEndpoint("late", { backend: "a", route: "/late", methods: ["POST"] });
  const socket = await openSocket(serve.httpUrl);
  let seen = "";
  socket.on("data", (piece: Buffer) => (seen += piece.toString("latin1")));
  socket.write("POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  await waitFor("the bridge's word that it has the head", () => seen.includes("100 Continue"));
  await serve.setTraffic("late", { b: 1 });
  // The endpoints of other tests use it too.
  await serve.setTraffic("split", { b: 1 });
  socket.write("body");
  await waitFor("the answer", () => /HTTP\/1\.1 200[^]*\r\n\r\nb$/.test(seen));
  socket.destroy();
  await serve.deleteEndpoint("late");
});

test("the requests of a backend go to all its replicas", async () => {
  await serve.createBackend({ name: "many", handler: () => String(process.pid), config: { numReplicas: 3 } });
  await serve.createEndpoint("many", { backend: "many", route: "/many" });
  const pids = new Set<number>();
  for (let round = 0; round < 20; round += 1) {
    for (const pid of await Promise.all(Array.from({ length: 6 }, () => instance.text("/many")))) pids.add(Number(pid));
  }
  expect([...pids].sort((x, y) => x - y)).toEqual(await instance.replicaPids("many"));
});

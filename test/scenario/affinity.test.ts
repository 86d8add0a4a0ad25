// Session affinity: a shard key sticks to one backend and moves only as far as a change of traffic makes it.

import { afterAll, expect, test } from "@jest/globals";
import { startInstance } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
for (const [name, handler] of Object.entries({ a: (): string => "a", b: (): string => "b", c: (): string => "c" }))
  await serve.createBackend(name, handler);
await serve.createEndpoint("sticky", { traffic: { a: 0.5, b: 0.5 }, route: "/sticky" });

const keys = Array.from({ length: 200 }, (_, index) => `user-${index}`);
const backendOf = (key: string) => instance.text("/sticky", { headers: { "x-headgate-shard-key": key } });
const placement = async () => new Map(await Promise.all(keys.map(async (key) => [key, await backendOf(key)] as const)));
const on = (places: ReadonlyMap<string, string>, backend: string) => [...places.values()].filter((each) => each === backend).length;

test("requests with the same key go to the same backend, and keys spread by the weights", async () => {
  const places = await placement();
  expect(await placement()).toEqual(places);
  expect(on(places, "a")).toBeGreaterThan(60);
  expect(on(places, "b")).toBeGreaterThan(60);
});

test("a handle's shard key sticks to the same backend as the header's", async () => {
  for (const key of keys.slice(0, 20)) {
    const handle = serve.handle("sticky", { shardKey: key });
    expect(await (await handle.send()).text()).toBe(await backendOf(key));
  }
});

test("requests without a key go on by the weights", async () => {
  const texts = new Set<string>();
  for (let request = 0; request < 10; request += 1) texts.add(await instance.text("/sticky"));
  expect(texts).toEqual(new Set(["a", "b"]));
});

test("a further backend takes keys from the others and moves none between them", async () => {
  const before = await placement();
  await serve.setTraffic("sticky", { a: 0.4, b: 0.4, c: 0.2 });
  const after = await placement();
  const moved = keys.filter((key) => before.get(key) !== after.get(key));
  expect(moved.map((key) => after.get(key))).toEqual(moved.map(() => "c"));
  expect(moved.length).toBeGreaterThan(10);
  expect(moved.length).toBeLessThan(80);
});

test("a backend that leaves gives its keys away and the others keep theirs", async () => {
  const before = await placement();
  await serve.setTraffic("sticky", { a: 0.5, b: 0.5 });
  const after = await placement();
  for (const key of keys) if (before.get(key) !== "c") expect([key, after.get(key)]).toEqual([key, before.get(key)]);
  expect(on(after, "c")).toBe(0);
});

test("keys stick over a restart of the bridge and of the whole instance", async () => {
  const before = await placement();
  await instance.serve.shutdown();
  await instance.restart();
  expect(await placement()).toEqual(before);
});

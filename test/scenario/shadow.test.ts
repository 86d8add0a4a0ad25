// Shadows: copies of requests beside the split, whose answers nobody waits for.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "@jest/globals";
import { startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
const seen = join(instance.root, "seen");
await serve.createBackend("real", () => "real");
await serve.createBackend("other", () => "real");
await serve.createBackend({
  name: "copy",
  handler: async (request) => {
    const { appendFileSync } = process.getBuiltinModule("node:fs");
    appendFileSync(process.env.SEEN ?? "", `${request.method} ${new URL(request.url).search} ${await request.text()}\n`);
    return "copy";
  },
  config: { env: { SEEN: seen } },
});
await serve.createEndpoint("watched", { backend: "real", route: "/watched", methods: ["GET", "POST"] });
beforeEach(() => rm(seen, { force: true }));

const copies = async () => (await readFile(seen, "utf8").catch(() => "")).split("\n").filter(Boolean);
/** How many copies were made until now; one more request, copied for sure, comes after all that may be on their way. */
async function copiesSoFar(): Promise<number> {
  await serve.shadowTraffic("watched", "copy", 1);
  await instance.text("/watched?last");
  await waitFor("the last", async () => (await copies()).includes("GET ?last "));
  return (await copies()).length - 1;
}
const send = async (count: number) => {
  for (let request = 0; request < count; request += 1) expect(await instance.text(`/watched?n=${request}`)).toBe("real");
};

test("a shadow of 1 gets a copy of each request, with method, query and body, and its answer is thrown away", async () => {
  expect((await serve.shadowTraffic("watched", "copy", 1)).shadows).toEqual({ copy: 1 });
  const response = await instance.fetch("/watched?x=1", { method: "POST", body: "hello" });
  expect(await response.text()).toBe("real");
  await send(9);
  await waitFor("ten copies", async () => (await copies()).length === 10);
  expect(await copies()).toContain("POST ?x=1 hello");
});

test("the first request after the change is copied already, though the bridge had no link to the shadow's replicas", async () => {
  for (let time = 1; time <= 5; time++) {
    await serve.shadowTraffic("watched", "copy", 0);
    await serve.shadowTraffic("watched", "copy", 1);
    await send(1);
    await waitFor("its copy", async () => (await copies()).length === time);
  }
});

test("a proportion is sampled: about so many are copied", async () => {
  await serve.shadowTraffic("watched", "copy", 0.2);
  await send(100);
  const count = await copiesSoFar();
  expect(count).toBeGreaterThanOrEqual(15);
  expect(count).toBeLessThanOrEqual(25);
});

test("the sample does not depend on the split: both sides of it are copied", async () => {
  await serve.setTraffic("watched", { real: 0.5, other: 0.5 });
  await serve.shadowTraffic("watched", "copy", 0.5);
  await serve.updateBackend("other", { handler: () => "other" });
  const sides: string[] = [];
  for (let request = 0; request < 60; request += 1) sides.push(await instance.text(`/watched?n=${request}`));
  await waitFor("copies", async () => (await copies()).length >= 25);
  const copied = (await copies()).map((line) => sides[Number(/n=(\d+)/.exec(line)?.[1])]);
  const ofOther = copied.filter((side) => side === "other").length;
  // Were the two tied to each other, the share could be anything from none to all.
  expect(ofOther).toBeGreaterThan(copied.length * 0.35);
  expect(ofOther).toBeLessThan(copied.length * 0.65);
  await serve.setTraffic("watched", { real: 1 });
});

test("a proportion of 0 ends the shadow", async () => {
  await serve.shadowTraffic("watched", "copy", 1);
  expect((await serve.shadowTraffic("watched", "copy", 0)).shadows).toEqual({});
  await send(10);
  expect(await copiesSoFar()).toBe(0);
});

test("a shadow that throws or hangs neither fails nor delays the real request", async () => {
  await serve.createBackend("bad", () => {
    throw new Error("bad");
  });
  await serve.createBackend({
    name: "stuck",
    handler: () => new Promise(() => undefined),
    config: { maxConcurrentQueries: 1, maxQueuedRequests: 1 },
  });
  await serve.createEndpoint("calm", { backend: "real", route: "/calm" });
  await serve.shadowTraffic("calm", "bad", 1);
  await serve.shadowTraffic("calm", "stuck", 1);
  for (let request = 0; request < 50; request += 1) {
    const response = await instance.fetch("/calm");
    expect([response.status, await response.text()]).toEqual([200, "real"]);
  }
  await serve.deleteEndpoint("calm");
  await serve.deleteBackend("stuck", { force: true });
});

test("a request never waits behind a copy: one that hangs is given up when a request needs its place", async () => {
  await serve.createBackend({
    name: "narrow",
    handler: async (request) => {
      if (!request.url.includes("hang")) return "narrow";
      await new Promise((aborted) => request.signal.addEventListener("abort", aborted));
      return "given up";
    },
    config: { maxConcurrentQueries: 1 },
  });
  await serve.createEndpoint("beside", { backend: "real", route: "/beside" });
  await serve.createEndpoint("narrow", { backend: "narrow", route: "/narrow" });
  await serve.shadowTraffic("beside", "narrow", 1);
  expect(await instance.text("/beside?hang")).toBe("real");
  await waitFor("the copy", async () =>
    (await serve.status()).replicas.some(({ backend, inFlight }) => backend === "narrow" && inFlight === 1),
  );
  // The copy alone would hold the only place for the 60 s of its deadline.
  const began = performance.now();
  expect(await instance.text("/narrow")).toBe("narrow");
  expect(performance.now() - began).toBeLessThan(20_000);
  await serve.deleteEndpoint("beside");
});

test("a shadow that is in the traffic too changes nothing of the split", async () => {
  await serve.createEndpoint("both", { traffic: { real: 0.5, narrow: 0.5 }, route: "/both" });
  await serve.shadowTraffic("both", "narrow", 1);
  await serve.shadowTraffic("both", "copy", 1);
  const texts: string[] = [];
  for (let request = 0; request < 40; request += 1) texts.push(await instance.text("/both"));
  const ofNarrow = texts.filter((text) => text === "narrow").length;
  expect(Math.abs(ofNarrow - 20)).toBeLessThanOrEqual(3);
  expect(texts.filter((text) => text === "real").length).toBe(40 - ofNarrow);
  await serve.deleteEndpoint("both");
});

test("a shadow without any replica costs the requests nothing", async () => {
  await serve.createBackend("mortal", () => process.exit(1));
  await serve.createEndpoint("alone", { backend: "real", route: "/alone" });
  await serve.shadowTraffic("alone", "mortal", 1);
  for (let request = 0; request < 50; request += 1) {
    const response = await instance.fetch("/alone");
    expect([response.status, await response.text()]).toEqual([200, "real"]);
  }
  await waitFor("the end of the shadow", async () => (await serve.getBackend("mortal")).restarts > 0);
  expect(await instance.text("/alone")).toBe("real");
  await serve.deleteEndpoint("alone");
  await serve.deleteBackend("mortal", { force: true });
});

test("copies that are sent and copies that are dropped are counted in the status", async () => {
  await using fresh = await startInstance();
  await fresh.serve.createBackend("real", () => "real");
  await fresh.serve.createBackend({ name: "full", handler: () => new Promise(() => undefined), config: { maxConcurrentQueries: 1 } });
  await fresh.serve.createEndpoint("counted", { backend: "real", route: "/counted" });
  await fresh.serve.shadowTraffic("counted", "full", 1);
  for (let request = 0; request < 10; request += 1) expect(await fresh.text("/counted")).toBe("real");
  const [bridge] = await waitFor("the bridge's report", async () => {
    const { bridges } = await fresh.serve.status();
    return bridges.some(({ shadowsCopied, shadowsDropped }) => shadowsCopied + shadowsDropped === 10) ? bridges : null;
  });
  expect(bridge).toMatchObject({ shadowsCopied: 1, shadowsDropped: 9 });
});

test("a shadow has at most shadowInFlight copies under way", async () => {
  await using fresh = await startInstance();
  await fresh.serve.createBackend("real", () => "real");
  // Room for more than the lane has.
  await fresh.serve.createBackend({ name: "wide", handler: () => new Promise(() => undefined), config: { maxConcurrentQueries: 1_000 } });
  await fresh.serve.createEndpoint("bounded", { backend: "real", route: "/bounded" });
  await fresh.serve.shadowTraffic("bounded", "wide", 1);
  for (let request = 0; request < 110; request += 1) expect(await fresh.text("/bounded")).toBe("real");
  const bridges = await waitFor("the bridge's report", async () => {
    const status = await fresh.serve.status();
    return status.bridges.some(({ shadowsCopied, shadowsDropped }) => shadowsCopied + shadowsDropped === 110) ? status.bridges : null;
  });
  expect(bridges).toMatchObject([{ shadowsCopied: 100, shadowsDropped: 10 }]);
});

test("a body that comes in a stream is not copied", async () => {
  await serve.shadowTraffic("watched", "copy", 1);
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("in pieces"));
      controller.close();
    },
  });
  // Fetch's type does not know half-duplex requests yet.
  const streamed = { method: "POST", body, duplex: "half" } as RequestInit;
  expect(await instance.text("/watched?streamed", streamed)).toBe("real");
  expect(await copiesSoFar()).toBe(0);
});

test("a shadow is a use: its backend cannot be deleted while the endpoint names it", async () => {
  await serve.shadowTraffic("watched", "copy", 0.1);
  await expect(serve.deleteBackend("copy")).rejects.toMatchObject({ code: "backend_in_use", message: expect.stringContaining("watched") });
});

test.each([-0.1, 1.1, Number.NaN])("a proportion of %p is refused", async (proportion) => {
  await expect(serve.shadowTraffic("watched", "copy", proportion)).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "proportion" },
  });
});

test("a shadow to a backend or of an endpoint that does not exist is refused by name", async () => {
  await expect(serve.shadowTraffic("watched", "nobody", 0.5)).rejects.toMatchObject({ code: "backend_not_found" });
  await expect(serve.shadowTraffic("nowhere", "copy", 0.5)).rejects.toMatchObject({ code: "endpoint_not_found" });
});

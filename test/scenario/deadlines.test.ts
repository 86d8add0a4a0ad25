// Deadlines: what is left of one reaches the handler, and passes for a request wherever it is. What a caller's X-Request-Timeout may
// be stands in http-features.test.ts; deadlines of calls between handlers in composition.test.ts.

import { afterAll, expect, test } from "@jest/globals";
import { type HandlerRequest, batched } from "headgate";
import { problem, sendRaw, startInstance, waitFor } from "../support/instance.ts";
import { OBSERVED_FILES, inFlight, noted, notesOf, observe } from "../support/observed.ts";

const instance = await startInstance({ files: OBSERVED_FILES });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await observe(instance);

const remaining = async (headers: Readonly<Record<string, string>>): Promise<number> => {
  // As the handler answers.
  const { remainingMs } = (await (await instance.fetch("/observed/remaining", { headers })).json()) as { remainingMs: number };
  return remainingMs;
};

test("request.remainingMs is what the endpoint gives, or less where the caller says so", async () => {
  const whole = await remaining({});
  expect(whole).toBeGreaterThan(30_000);
  expect(whole).toBeLessThanOrEqual(60_000);
  const less = await remaining({ "x-request-timeout": "20s" });
  expect(less).toBeGreaterThan(0);
  expect(less).toBeLessThanOrEqual(20_000);
});

test("a deadline that passes is a 504, and aborts the handler's signal with deadline_exceeded", async () => {
  const headers = { "x-request-timeout": "200ms", "x-request-id": "late" };
  const response = await instance.fetch("/observed/hold", { headers });
  expect(response.status).toBe(504);
  expect(await problem(response)).toMatchObject({ code: "deadline_exceeded", requestId: "late" });
  expect(await noted(instance, "the abort", "late", ({ ended }) => ended === true)).toMatchObject({ aborted: "deadline_exceeded" });
});

test("a stream that goes on beyond its deadline is cut off, and its generator ended", async () => {
  const raw = await sendRaw(
    serve.httpUrl,
    "GET /observed/ticks?ms=20 HTTP/1.1\r\nhost: x\r\nx-request-id: cut\r\nx-request-timeout: 300ms\r\n\r\n",
  );
  expect(raw).toContain("tick 1");
  expect(raw).not.toMatch(/\r\n0\r\n\r\n$/);
  expect(await noted(instance, "the end", "cut", ({ ended }) => ended === true)).toMatchObject({ aborted: "deadline_exceeded" });
});

test("a body that does not come in time ends its reading with the deadline", async () => {
  const fields = "x-request-id: slow-body\r\nx-request-timeout: 300ms\r\ntransfer-encoding: chunked";
  const raw = await sendRaw(serve.httpUrl, `POST /observed/read HTTP/1.1\r\nhost: x\r\n${fields}\r\n\r\n5\r\nhello\r\n`);
  expect(raw).toMatch(/^HTTP\/1\.1 504 /);
  expect(await noted(instance, "the end", "slow-body", ({ ended }) => ended === true)).toMatchObject({ bodyError: "deadline_exceeded" });
});

test("one that waits for a replica is a 504 and never runs", async () => {
  await serve.createBackend({
    name: "one",
    handler: "./observed.ts#Observed",
    config: { maxConcurrentQueries: 1, methods: ["handle", "notes"] },
  });
  await serve.createEndpoint("one", { backend: "one", route: "/one/*" });
  const first = instance.fetch("/one/stubborn?ms=5000");
  await waitFor("the first", async () => (await inFlight(instance)) > 0);
  const response = await instance.fetch("/one/hold", { headers: { "x-request-timeout": "200ms", "x-request-id": "waited" } });
  expect(response.status).toBe(504);
  expect((await first).status).toBe(200);
  // As the handler answers.
  const { byId } = (await serve.handle("one", { method: "notes" }).call()) as { byId: object };
  expect(Object.keys(byId)).not.toContain("waited");
});

test("one that waits in a batch is a 504, leaves it, and the others are served", async () => {
  const handler = batched((requests: readonly HandlerRequest[]) =>
    requests.map((request) => ({ n: new URL(request.url).searchParams.get("n"), of: requests.length })),
  );
  await serve.createBackend({ name: "late-batch", handler, config: { maxBatchSize: 3, batchWaitTimeoutMs: 30_000 } });
  await serve.createEndpoint("late-batch", { backend: "late-batch", route: "/late-batch" });
  const late = instance.fetch("/late-batch?n=1", { headers: { "x-request-timeout": "300ms" } });
  const others = [instance.fetch("/late-batch?n=2")];
  expect((await late).status).toBe(504);
  others.push(instance.fetch("/late-batch?n=3"), instance.fetch("/late-batch?n=4"));
  const seen = await Promise.all((await Promise.all(others)).map((response) => response.json()));
  expect(seen).toEqual(["2", "3", "4"].map((n) => ({ n, of: 3 })));
});

test("a caller that is answered in time leaves no watch behind", async () => {
  const before = (await notesOf(instance)).resources["Timeout"] ?? 0;
  for (let round = 0; round < 20; round++) await remaining({ "x-request-timeout": "30s" });
  const after = (await notesOf(instance)).resources["Timeout"] ?? 0;
  expect(after).toBeLessThanOrEqual(before + 1);
});

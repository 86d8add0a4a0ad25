// More requests than a backend can run: who waits, who is refused and when to come back, and that all is well again afterwards.
// How much is still done in time is measured by `npm run bench -- --loads overload`.

import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { problem, startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

/** Takes as long as the query says. */
async function takes(request: HandlerRequest): Promise<string> {
  await new Promise((done) => setTimeout(done, Number(new URL(request.url).searchParams.get("ms"))));
  return "done";
}

async function backend(name: string, config: { maxQueuedRequests?: number }, requestTimeoutMs: number): Promise<void> {
  await serve.createBackend({ name, handler: takes, config: { maxConcurrentQueries: 1, ...config } });
  await serve.createEndpoint(name, { backend: name, route: `/${name}`, requestTimeoutMs });
}

interface Seen {
  readonly status: number;
  readonly code: string;
  readonly retryAfter: number;
}

/** So many requests at once. */
async function burst(path: string, count: number): Promise<readonly Seen[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const response = await instance.fetch(path);
      const retryAfter = Number(response.headers.get("retry-after") ?? "0");
      if (response.status === 200) {
        expect(await response.text()).toBe("done");
        return { status: 200, code: "", retryAfter };
      }
      const { code } = await problem(response);
      return { status: response.status, code: String(code), retryAfter };
    }),
  );
}

const withCode = (seen: readonly Seen[], code: string): readonly Seen[] => seen.filter((one) => one.code === code);

test("a burst to a backend of which nothing is known waits, and all of it is served", async () => {
  await backend("fresh", {}, 60_000);
  const seen = await burst("/fresh?ms=2", 200);
  expect(seen.every(({ status }) => status === 200)).toBe(true);
});

test("with a full queue Retry-After says when those who wait will have been served", async () => {
  await backend("full", { maxQueuedRequests: 150 }, 60_000);
  await burst("/full?ms=25", 40);
  const seen = await burst("/full?ms=25", 250);
  // One runs and 150 wait; a few more are served while the others come in.
  const served = seen.filter(({ status }) => status === 200);
  expect(served.length).toBeGreaterThanOrEqual(151);
  const refused = withCode(seen, "queue_full");
  expect(refused.length).toBe(250 - served.length);
  expect(refused.length).toBeGreaterThan(20);
  // 150 requests of 25 ms or a little more, and up to half as much again.
  for (const { status, retryAfter } of refused) {
    expect(status).toBe(503);
    expect(Number.isInteger(retryAfter)).toBe(true);
    expect(retryAfter).toBeGreaterThanOrEqual(4);
    expect(retryAfter).toBeLessThanOrEqual(60);
  }
});

test("requests that would miss their deadline are refused before it, and those that are let in are served", async () => {
  await backend("late", {}, 1_000);
  await burst("/late?ms=20", 20);
  const seen = await burst("/late?ms=20", 300);
  const served = seen.filter(({ status }) => status === 200);
  const refused = withCode(seen, "deadline_unreachable");
  // Fifty of 20 ms fit a second, if nothing comes between and all are there at once.
  expect(served.length).toBeGreaterThan(10);
  expect(refused.length).toBeGreaterThan(100);
  expect(served.length + refused.length + withCode(seen, "deadline_exceeded").length).toBe(300);
  for (const { status, retryAfter } of refused) {
    expect(status).toBe(503);
    expect(retryAfter).toBeGreaterThanOrEqual(1);
  }
  // One at a time they are never refused.
  for (let i = 0; i < 20; i++) expect((await burst("/late?ms=20", 1))[0]?.status).toBe(200);
});

test("a backend that was slow once refuses nothing for it when it is quick again", async () => {
  await backend("moody", {}, 1_000);
  const slow = await burst("/moody?ms=150", 60);
  expect(slow.some(({ status }) => status === 503 || status === 504)).toBe(true);
  for (let i = 0; i < 5; i++) expect((await burst("/moody?ms=1", 1))[0]?.status).toBe(200);
  await waitFor("a burst that is served whole", async () => (await burst("/moody?ms=1", 40)).every(({ status }) => status === 200));
});

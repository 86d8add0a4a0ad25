// Batching: handlers that take a list of requests and give a list of as many results.

import { afterAll, expect, test } from "@jest/globals";
import { type HandlerRequest, batched } from "headgate";
import { problem, startInstance } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
/** A wait so long that batches go when they are full, however slow the machine is. */
const wait = { maxBatchSize: 4, batchWaitTimeoutMs: 20_000 };

/** Sends n = 0, 1, … at the same time. */
const send = (route: string, count: number) => Promise.all(Array.from({ length: count }, (_, n) => instance.fetch(`${route}?n=${n}`)));

test("requests at the same time come as lists of at most maxBatchSize, and each caller gets its own result", async () => {
  const handler = batched((requests: readonly HandlerRequest[]) =>
    requests.map((request) => ({ n: Number(new URL(request.url).searchParams.get("n")), size: requests.length })),
  );
  const { acceptsBatches, maxBatchSize } = await serve.createBackend({ name: "sizes", handler, config: wait });
  expect({ acceptsBatches, maxBatchSize }).toEqual({ acceptsBatches: true, maxBatchSize: 4 });
  await serve.createEndpoint("sizes", { backend: "sizes", route: "/sizes" });
  const answers = await Promise.all((await send("/sizes", 8)).map((response) => response.json()));
  // The handler above answers so.
  const seen = answers as { n: number; size: number }[];
  expect(seen.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  // What comes while a batch runs leaves when it ends, so that batches after the first may be smaller.
  expect(Math.max(...seen.map(({ size }) => size))).toBe(4);
  const four = await Promise.all((await send("/sizes", 4)).map((response) => response.json()));
  // As above.
  expect((four as { size: number }[]).map(({ size }) => size)).toEqual([4, 4, 4, 4]);
});

test("a batch that does not fill goes after batchWaitTimeoutMs: a lone request is answered", async () => {
  await serve.updateBackend("sizes", { config: { batchWaitTimeoutMs: 20 } });
  expect(await (await instance.fetch("/sizes?n=7")).json()).toEqual({ n: 7, size: 1 });
});

test("without maxBatchSize a list has one request", async () => {
  await serve.createBackend(
    "ones",
    batched((requests: readonly HandlerRequest[]) => requests.map(() => requests.length)),
  );
  await serve.createEndpoint("ones", { backend: "ones", route: "/ones" });
  for (const response of await send("/ones", 6)) expect(await response.json()).toBe(1);
});

test("a list of another length fails the whole batch: 500 to the callers, and a handle is told both lengths", async () => {
  await serve.createBackend({ name: "short", handler: batched(() => ["only one"]), config: wait });
  await serve.createEndpoint("short", { backend: "short", route: "/short" });
  for (const response of await send("/short", 4))
    expect(await problem(response)).toMatchObject({ status: 500, code: "batch_length_mismatch" });
  const handle = serve.handle("short");
  const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => handle.send()));
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      reason: { code: "batch_length_mismatch", message: expect.stringMatching(/4 requests .*list of 4, not a list of 1/) },
    });
  }
});

test("a result that is no list at all fails the batch in the same way", async () => {
  const handler: unknown = Object.assign(() => "text", { acceptsBatches: true });
  // As a caller in JavaScript would, whom no compiler tells.
  await serve.createBackend({ name: "nolist", handler: handler as () => unknown });
  await serve.createEndpoint("nolist", { backend: "nolist", route: "/nolist" });
  expect(await problem(await instance.fetch("/nolist"))).toMatchObject({ status: 500, code: "batch_length_mismatch" });
});

test("one item fails alone where the list holds an Error in its place", async () => {
  const handler = batched((requests: readonly HandlerRequest[]) =>
    requests.map((request) => (request.url.endsWith("n=1") ? new Error("the password is hunter2") : `fine of ${requests.length}`)),
  );
  await serve.createBackend({ name: "one-bad", handler, config: wait });
  await serve.createEndpoint("one-bad", { backend: "one-bad", route: "/one-bad" });
  const responses = await send("/one-bad", 4);
  expect(responses.map(({ status }) => status)).toEqual([200, 500, 200, 200]);
  const [first, second] = responses;
  expect(await first?.text()).toBe("fine of 4");
  const body = second === undefined ? {} : await problem(second);
  expect(body).toMatchObject({ code: "handler_error" });
  expect(JSON.stringify(body)).not.toContain("hunter2");
});

test("a batch handler that throws fails each request of its batch, and the next batch is served", async () => {
  const handler = batched((requests: readonly HandlerRequest[]) => {
    if (requests.some((request) => request.url.endsWith("n=3"))) throw new Error("no");
    return requests.map(() => "fine");
  });
  await serve.createBackend({ name: "throwing", handler, config: wait });
  await serve.createEndpoint("throwing", { backend: "throwing", route: "/throwing" });
  expect((await send("/throwing", 4)).map(({ status }) => status)).toEqual([500, 500, 500, 500]);
  const next = await Promise.all([5, 6, 7, 8].map((n) => instance.fetch(`/throwing?n=${n}`)));
  expect(next.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});

test("a class says that it accepts batches by a static field", async () => {
  class Sums {
    static acceptsBatches = true;
    total = 0;
    async handle(requests: readonly HandlerRequest[]): Promise<readonly unknown[]> {
      return Promise.all(
        requests.map(async (request) => {
          this.total += Number(await request.text());
          return { batch: requests.length };
        }),
      );
    }
  }
  const { acceptsBatches } = await serve.createBackend({ name: "sums", handler: Sums, config: wait });
  expect(acceptsBatches).toBe(true);
  await serve.createEndpoint("sums", { backend: "sums", route: "/sums", methods: ["POST"] });
  const responses = await Promise.all([1, 2, 3, 4].map((n) => instance.fetch("/sums", { method: "POST", body: String(n) })));
  expect(await Promise.all(responses.map((response) => response.json()))).toEqual(Array.from({ length: 4 }, () => ({ batch: 4 })));
});

test("maxBatchSize for a handler that takes single requests is refused", async () => {
  await expect(serve.createBackend({ name: "single", handler: () => "x", config: { maxBatchSize: 4 } })).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "maxBatchSize" },
  });
  expect(Object.keys(await serve.listBackends())).not.toContain("single");
});

test("batch limits change without a restart", async () => {
  const pids = await instance.replicaPids("sizes");
  await serve.updateBackend("sizes", { config: { maxBatchSize: 2, batchWaitTimeoutMs: 20_000 } });
  const answers = await Promise.all((await send("/sizes", 8)).map((response) => response.json()));
  // As the handler of "sizes" answers.
  expect(Math.max(...(answers as { size: number }[]).map(({ size }) => size))).toBe(2);
  expect(await instance.replicaPids("sizes")).toEqual(pids);
});

test("without batchWaitTimeoutMs what comes while a batch runs is the next batch, and a lone request is one at once", async () => {
  const handler = batched(async (requests: readonly HandlerRequest[]) => {
    await new Promise((done) => setTimeout(done, 100));
    return requests.map(() => requests.length);
  });
  await serve.createBackend({ name: "natural", handler, config: { maxBatchSize: 50 } });
  await serve.createEndpoint("natural", { backend: "natural", route: "/natural" });
  const sizes: number[] = [];
  for (const response of await send("/natural", 40)) sizes.push(Number(await response.text()));
  // Some came first and made a batch; the others gathered behind it.
  expect(Math.max(...sizes)).toBeGreaterThan(5);
  expect(await instance.text("/natural")).toBe("1");
});

test("batches of a method run one after the other, or as many side by side as maxConcurrentBatches says", async () => {
  class Overlap {
    static acceptsBatches = true;
    now = 0;
    seen = 0;
    async handle(requests: readonly HandlerRequest[]): Promise<readonly unknown[]> {
      this.seen = Math.max(this.seen, ++this.now);
      await new Promise((done) => setTimeout(done, 200));
      this.now--;
      return requests.map(() => "done");
    }
    async most(requests: readonly HandlerRequest[]): Promise<readonly unknown[]> {
      const { seen } = this;
      this.seen = 0;
      return requests.map(() => seen);
    }
  }
  const { maxConcurrentBatches } = await serve.createBackend({
    name: "overlap",
    handler: Overlap,
    config: { maxBatchSize: 2, methods: ["handle", "most"] },
  });
  expect(maxConcurrentBatches).toBe(1);
  await serve.createEndpoint("overlap", { backend: "overlap", route: "/overlap" });
  const most = serve.handle("overlap", { method: "most" });
  await send("/overlap", 12);
  expect(await most.call()).toBe(1);
  await serve.updateBackend("overlap", { config: { maxConcurrentBatches: 3 } });
  await send("/overlap", 12);
  expect(await most.call()).toBe(3);
});

test("a result of a batch can be a Response, a stream or a promise", async () => {
  const handler = batched((requests: readonly HandlerRequest[]) =>
    requests.map((request) => {
      if (request.url.endsWith("n=0")) return new Response("made", { status: 201 });
      if (request.url.endsWith("n=1")) return Promise.resolve({ later: true });
      if (request.url.endsWith("n=2")) return Promise.reject(new Error("no"));
      return (async function* () {
        yield "a";
        await new Promise((done) => setTimeout(done, 20));
        yield "b";
      })();
    }),
  );
  await serve.createBackend({ name: "kinds", handler, config: wait });
  await serve.createEndpoint("kinds", { backend: "kinds", route: "/kinds" });
  const responses = await send("/kinds", 4);
  expect(responses.map(({ status }) => status)).toEqual([201, 200, 500, 200]);
  const [made, later, , streamed] = responses;
  expect([await made?.text(), await later?.json(), await streamed?.text()]).toEqual(["made", { later: true }, "ab"]);
});

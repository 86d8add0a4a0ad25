// Composition of handlers that accept batches: batches that call their own backend, at a single batch at a time.

import { afterAll, expect, test } from "@jest/globals";
import { COMPOSED_FILES, type Journey, type fibonacci } from "../support/composed.ts";
import { problem, startInstance, waitFor, written } from "../support/instance.ts";

const instance = await startInstance({ files: COMPOSED_FILES });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
for (const name of ["here", "there"]) {
  await serve.createBackend({ name, handler: "./composed.ts#journey", config: { maxBatchSize: 8 } });
  await serve.createEndpoint(name, { backend: name, route: `/${name}`, methods: ["POST"] });
}

const read = (file: string): Promise<string | null> => written(instance, file);
/** Sends one request on its way, which begins here. */
const send = (way: readonly string[], more: Partial<Journey> = {}, signal: AbortSignal | null = null): Promise<Response> =>
  instance.fetch("/here", { method: "POST", body: JSON.stringify({ way, ...more }), signal });
const sizes = async (way: readonly string[]): Promise<readonly number[]> =>
  // As the handler answers.
  (await (await send(way)).json()) as readonly number[];

test.each([1, 2, 3])("a batch that calls its own backend, %d deep, does not wait for itself", async (depth) => {
  expect(await sizes(Array.from({ length: depth }, () => "here"))).toEqual(Array.from({ length: depth + 1 }, () => 1));
});

test("batches of two backends that call one another in a circle do not wait for themselves", async () => {
  expect(await sizes(["there", "here", "there", "there", "here"])).toEqual([1, 1, 1, 1, 1, 1]);
});

test("many at once that call their own backend are all answered, in batches at each depth", async () => {
  await serve.createBackend({ name: "full", handler: "./composed.ts#journey", config: { maxBatchSize: 8, batchWaitTimeoutMs: 60_000 } });
  await serve.createEndpoint("full", { backend: "full" });
  const full = serve.handle("full");
  // Four batches that are full; as the handler answers.
  const calls = Array.from({ length: 32 }, () => full.call({ way: ["full", "full"] }) as Promise<readonly number[]>);
  const all = await Promise.all(calls);
  for (const each of all) {
    expect(each).toHaveLength(3);
    expect(each[0]).toBe(8);
    expect(Math.max(...each)).toBeLessThanOrEqual(8);
  }
  // What one batch calls together comes together.
  for (const depth of [1, 2]) expect(Math.max(...all.map((each) => each[depth] ?? 0))).toBeGreaterThan(1);
});

test("where requests that gather have all places of a backend, what its batch calls of it gets in before them", async () => {
  const config = { maxBatchSize: 2, maxConcurrentQueries: 6 };
  await serve.createBackend({ name: "tight", handler: "./composed.ts#journey", config });
  await serve.createEndpoint("tight", { backend: "tight" });
  // Two run, which each call twice, one within the other; the others gather, and wait in the queue.
  const all = await Promise.all(Array.from({ length: 20 }, () => serve.handle("tight").call({ way: ["tight", "tight"] })));
  for (const each of all) expect(each).toHaveLength(3);
});

test("calls of a batch to its own backend wait for no further ones, however long batchWaitTimeoutMs is", async () => {
  await serve.createBackend({
    name: "patient",
    handler: "./composed.ts#journey",
    config: { maxBatchSize: 2, batchWaitTimeoutMs: 60_000 },
  });
  await serve.createEndpoint("patient", { backend: "patient" });
  const patient = serve.handle("patient");
  // Two fill their batch; one of them calls alone, and its deadline comes before the end of any such wait.
  const options = { timeoutMs: 20_000 };
  const answers = await Promise.all([patient.call({ way: ["patient", "patient"] }, options), patient.call({ way: [] }, options)]);
  expect(answers).toEqual([[2, 1, 1], [2]]);
});

test("a handler whose calls branch into its own backend finishes by batches too", async () => {
  await serve.createBackend({ name: "fibonacci-all", handler: "./composed.ts#fibonacciAll", config: { maxBatchSize: 4 } });
  await serve.createEndpoint("fibonacci-all", { backend: "fibonacci-all" });
  expect(await serve.handle<typeof fibonacci>("fibonacci-all").call({ n: 7 })).toBe(13);
});

test("batches in a circle without an end are stopped by their depth, and the backend serves on", async () => {
  const refused = await send(Array.from({ length: 33 }, () => "here"));
  expect(await problem(refused)).toMatchObject({ status: 508, code: "call_depth_exceeded" });
  expect(await sizes(Array.from({ length: 32 }, () => "here"))).toHaveLength(33);
});

test("a caller who leaves ends the batches that its request called, and the backend serves on", async () => {
  const leaving = new AbortController();
  const left = send(["here", "here"], { hold: "inner" }, leaving.signal);
  await waitFor("the request in its innermost batch", () => read("held-inner"));
  leaving.abort();
  await expect(left).rejects.toThrow();
  await waitFor("the abort of the innermost batch", () => read("aborted-inner"));
  expect(await sizes(["here", "here"])).toEqual([1, 1, 1]);
});

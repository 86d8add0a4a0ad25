// What goes wrong between handlers that call one another: faults and what a caller is told of them, circles, places that run out,
// replicas and controllers that are killed meanwhile.

import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { COMPOSED_FILES, KINDS_METHODS, type Told, type fibonacci, type nest } from "../support/composed.ts";
import { problem, startInstance, waitFor, written } from "../support/instance.ts";

const instance = await startInstance({ files: COMPOSED_FILES });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend({ name: "kinds", handler: "./composed.ts#Kinds", config: { methods: KINDS_METHODS } });
await serve.createEndpoint("kinds", { backend: "kinds", methods: ["GET", "POST"] });
for (const name of ["attempt", "pass", "hold", "nest", "fibonacci"]) {
  await serve.createBackend(name, `./composed.ts#${name}`);
  await serve.createEndpoint(name, { backend: name, route: name === "pass" ? "/pass/*" : `/${name}`, methods: ["GET", "POST"] });
}

const read = (file: string): Promise<string | null> => written(instance, file);
/** What a handler was told of its call. */
const attempted = async (query: string): Promise<Told> =>
  // As the handler of "attempt" answers.
  (await (await instance.fetch(`/attempt?${query}`, { headers: { "x-request-id": "caller-7" } })).json()) as Told;

test("a handler that throws rejects the call with its code and the request's id, and without a word of why", async () => {
  const told = await attempted("method=throws");
  expect(told).toMatchObject({ code: "handler_error", retryable: false, requestId: "caller-7" });
  expect(JSON.stringify(told)).not.toContain("hunter2");
});

test("an answer with an error status rejects call(), and is an answer like any other to send()", async () => {
  expect(await attempted("method=missing")).toMatchObject({ code: "handler_error", details: { endpoint: "kinds", status: "404" } });
  expect(await attempted("method=missing&send")).toEqual({ status: 404, body: '{"error":"no such thing"}' });
});

test("a method, an endpoint or an option that does not exist is named", async () => {
  expect(await attempted("method=whisper")).toMatchObject({ code: "method_not_declared", message: expect.stringContaining("whisper") });
  expect(await attempted("endpoint=nowhere")).toMatchObject({ code: "endpoint_not_found", message: expect.stringContaining("nowhere") });
  expect(await attempted(`with=${encodeURIComponent('{"timeoutMs":-1}')}`)).toMatchObject({ code: "invalid_argument" });
});

test("the fault of a call that a handler does not catch is that of its own request, where its caller can do something about it", async () => {
  const uncaught = async (query: string) => problem(await instance.fetch(`/attempt?uncaught&${query}`));
  await serve.createBackend({ name: "full", handler: "./composed.ts#hold", config: { maxConcurrentQueries: 1, maxQueuedRequests: 1 } });
  await serve.createEndpoint("full", { backend: "full" });
  const leaving = new AbortController();
  const held = ["full-1", "full-2"].map(async (name, index) => {
    if (index > 0) await waitFor("one that runs", () => read("held-full-1"));
    const options = encodeURIComponent(`{"path":"/?name=${name}"}`);
    // The one that waits may find the place taken by a question below, which leaves it within its 200 ms.
    while (true) await (await instance.fetch(`/attempt?endpoint=full&with=${options}`, { signal: leaving.signal })).text();
  });
  const refused = await waitFor("a full queue", async () => {
    const timed = encodeURIComponent('{"timeoutMs":200}');
    const said = await uncaught(`endpoint=full&with=${timed}`);
    return said.code === "queue_full" ? said : null;
  });
  expect(refused).toMatchObject({ status: 503, code: "queue_full", limit: "maxQueuedRequests" });
  leaving.abort();
  await Promise.allSettled(held);
  expect(await uncaught(`endpoint=hold&with=${encodeURIComponent('{"timeoutMs":100,"path":"/?name=x"}')}`)).toMatchObject({
    code: "deadline_exceeded",
  });
  // The handler's own mistakes are none of its caller's business.
  for (const query of ["endpoint=nowhere", "method=whisper", "method=throws", "method=missing"])
    expect(await uncaught(query)).toMatchObject({ status: 500, code: "handler_error" });
});

test("a backend that calls itself finishes, as long as its places do", async () => {
  expect(await serve.handle<typeof fibonacci>("fibonacci").call({ n: 7 })).toBe(13);
  expect(await serve.handle<typeof nest>("nest").call({ levels: 32, endpoint: "nest" })).toBe(32);
});

test("handlers that call one another in a circle are stopped, and by their depth", async () => {
  const call = serve.handle<typeof nest>("nest").call({ levels: 1_000, endpoint: "nest" });
  await expect(call).rejects.toMatchObject({ code: "call_depth_exceeded", details: { limit: "callDepth" } });
  const body = JSON.stringify({ levels: 33, endpoint: "nest" });
  expect(await problem(await instance.fetch("/nest", { method: "POST", body }))).toMatchObject({
    status: 508,
    code: "call_depth_exceeded",
  });
});

test("a backend that has no place left for a call of its own gets a fault and not a wait without end, and serves on", async () => {
  await serve.createBackend({ name: "single", handler: "./composed.ts#nest", config: { maxConcurrentQueries: 1 } });
  await serve.createEndpoint("single", { backend: "single", route: "/single", methods: ["POST"] });
  const ask = (levels: number) => instance.fetch("/single", { method: "POST", body: JSON.stringify({ levels, endpoint: "single" }) });
  const refused = await ask(1);
  expect(await problem(refused)).toMatchObject({ status: 503, code: "call_blocked", limit: "reentryWaitMs" });
  expect(refused.headers.get("retry-after")).not.toBeNull();
  expect(await (await ask(0)).json()).toBe(0);
});

test("two backends that wait for one another are freed as one that waits for itself is", async () => {
  for (const name of ["left", "right"]) {
    await serve.createBackend({ name, handler: "./composed.ts#pass", config: { maxConcurrentQueries: 1 } });
    await serve.createEndpoint(name, { backend: name });
  }
  const left = serve.handle("left");
  await expect(left.send(undefined, { path: "/right/left/kinds/" })).rejects.toMatchObject({ code: "call_blocked" });
  expect(await (await left.send(undefined, { path: "/right/kinds/" })).text()).toBe("the handle method");
});

test("each request of a batch has handles of its own: its id, its deadline, its end", async () => {
  await serve.createBackend({ name: "batch", handler: "./composed.ts#seeAll", config: { maxBatchSize: 3, batchWaitTimeoutMs: 20_000 } });
  await serve.createEndpoint("batch", { backend: "batch", route: "/batch" });
  const ids = ["one", "two", "three"];
  const answers = await Promise.all(ids.map(async (id) => (await instance.fetch("/batch", { headers: { "x-request-id": id } })).json()));
  expect(answers).toEqual(
    ids.map((id) => ({ together: 3, here: expect.objectContaining({ id }), there: expect.objectContaining({ id, backend: "" }) })),
  );
  // One of three leaves, and the call that was made for it ends; the others' go on.
  const leaving = new AbortController();
  const left = instance.fetch("/batch?hold=leaver", { signal: leaving.signal });
  const others = ["a", "b"].map((id) =>
    instance.fetch("/batch?hold=stayer", { headers: { "x-request-id": id }, signal: AbortSignal.timeout(2_000) }),
  );
  await waitFor(
    "the calls of the batch",
    async () => (await read("held-leaver")) !== null && (await read("held-stayer"))?.split("\n").length === 3,
  );
  leaving.abort();
  await expect(left).rejects.toThrow();
  await waitFor("the end of one call", () => read("aborted-leaver"));
  expect(await read("aborted-stayer")).toBeNull();
  await Promise.allSettled(others);
});

test("a replica that dies with a call on it: what is safe to repeat is repeated, what is not says so", async () => {
  const kill = async (held: string): Promise<void> => {
    const pid = Number((await waitFor("the call in the replica", () => read(held))).trim().split("\n").at(-1));
    process.kill(pid, "SIGKILL");
  };
  await serve.updateBackend("hold", { config: { numReplicas: 2 } });
  // No body: a GET.
  const leaving = new AbortController();
  const repeated = instance.fetch("/pass/hold/?name=get", { signal: leaving.signal });
  await kill("held-get");
  await waitFor("the second try", async () => (await read("held-get"))?.trim().split("\n").length === 2);
  leaving.abort();
  await expect(repeated).rejects.toThrow();
  await waitFor("both replicas", async () => (await instance.replicaPids("hold")).length === 2);
  const options = encodeURIComponent('{"path":"/?name=post"}');
  const lost = attempted(`endpoint=hold&body=3&with=${options}`);
  await kill("held-post");
  expect(await lost).toMatchObject({ code: "replica_lost", retryable: true, details: { mayHaveRun: "true" } });
});

test("without a controller calls go on by the table there is, and what a handler learned before", async () => {
  await serve.createBackend("late", async (request: HandlerRequest) => request.handle("kinds").call());
  await serve.createEndpoint("late", { backend: "late", route: "/late" });
  expect(await attempted("method=text")).toEqual({ result: "text ✓" });
  const pids = await instance.replicaPids("late");
  const { controller } = await serve.status();
  process.kill(controller.pid, "SIGKILL");
  await waitFor("the end of the controller", async () => {
    try {
      process.kill(controller.pid, 0);
      return false;
    } catch {
      return true;
    }
  });
  for (let i = 0; i < 20; i++) expect(await attempted("method=text")).toEqual({ result: "text ✓" });
  // A replica whose handler has called nothing yet has no table: it waits a bounded time, then says so.
  const late = await problem(await instance.fetch("/late"));
  expect(late).toMatchObject({ status: 503, code: "not_ready" });
  // With the controller back it gets one, by the token that it was started with.
  await instance.restart();
  expect(await instance.text("/late")).toBe("the handle method");
  await waitFor("the replicas that were there", async () => String(await instance.replicaPids("late")) === String(pids));
});

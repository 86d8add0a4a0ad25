// Callers who leave: the handler hears of it wherever its request is, nobody else is touched, and nothing is left behind.
// What a cancel means for calls between handlers stands in composition.test.ts.

import type { Socket } from "node:net";
import { afterAll, expect, test } from "@jest/globals";
import { type TestInstance, openSocket, startInstance, waitFor } from "../support/instance.ts";
import { type Notes, OBSERVED_FILES, OBSERVED_METHODS, inFlight, noted, notesOf, observe } from "../support/observed.ts";

const instance = await startInstance({ files: OBSERVED_FILES });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await observe(instance);

/** How long a cancel may take in a test: a bound against hanging. What it took is told at the end. */
const BOUND_MS = 5_000;
const latencies: { readonly what: string; readonly ms: number }[] = [];
afterAll(() => {
  const lines = latencies.map(({ what, ms }) => `  ${what}: ${ms} ms`);
  process.stdout.write(`From the caller's leaving to the handler's signal:\n${lines.join("\n")}\n`);
});

/** Opens a request with an id of its own on a connection of its own, and does not read. */
async function open(id: string, path: string, method = "GET", body = ""): Promise<Socket> {
  const socket = await openSocket(serve.httpUrl);
  socket.on("error", () => undefined);
  socket.on("data", () => undefined);
  const more = method === "GET" ? "" : "transfer-encoding: chunked\r\n";
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\nx-request-id: ${id}\r\n${more}\r\n${body}`);
  return socket;
}

/** Leaves, and waits until the handler's signal has aborted. */
async function leave(what: string, id: string, socket: Socket): Promise<void> {
  const leftAt = Date.now();
  socket.destroy();
  const note = await noted(instance, "the abort", id, ({ aborted }) => aborted !== undefined);
  expect(note.aborted).toBe("cancelled");
  const ms = (note.abortedAt ?? 0) - leftAt;
  latencies.push({ what, ms });
  expect(ms).toBeLessThan(BOUND_MS);
}

/** The batches that the handler of a backend was given. */
interface BatchNote {
  readonly ids: readonly string[];
  readonly aborted: readonly string[];
  readonly batchAborted: boolean;
}

async function batchesOf(from: TestInstance, endpoint: string): Promise<readonly BatchNote[]> {
  // As the handler answers a path with "notes" in it.
  return (await from.serve.handle(endpoint).call(undefined, { path: "/notes" })) as readonly BatchNote[];
}

/** Waits until a backend's replicas have so many requests: those that come later are in a later batch. */
const inReplicas = (backend: string, count: number): Promise<boolean> =>
  waitFor(`${count} requests in the replicas of ${backend}`, async () => {
    const { replicas } = await serve.status();
    return replicas.reduce((sum, replica) => sum + (replica.backend === backend ? replica.inFlight : 0), 0) === count;
  });

test("a running handler", async () => {
  const socket = await open("running", "/observed/hold");
  const other = await open("other", "/observed/hold");
  await noted(instance, "the begin", "running", ({ begun }) => begun === true);
  await noted(instance, "the begin", "other", ({ begun }) => begun === true);
  await leave("running", "running", socket);
  await noted(instance, "the end", "running", ({ ended }) => ended === true);
  expect((await notesOf(instance)).byId["other"]).toMatchObject({ begun: true });
  expect((await notesOf(instance)).byId["other"]?.aborted).toBeUndefined();
  other.destroy();
});

test("a streamed answer, whose iterator is ended", async () => {
  const socket = await open("streaming", "/observed/ticks?ms=20");
  await noted(instance, "the begin", "streaming", ({ begun }) => begun === true);
  await leave("streaming", "streaming", socket);
  await noted(instance, "the end", "streaming", ({ ended }) => ended === true);
});

test("a body that is being read", async () => {
  const socket = await open("uploading", "/observed/read", "POST", "5\r\nhello\r\n");
  await noted(instance, "the first bytes", "uploading", ({ bytes }) => bytes === 5);
  await leave("reading its body", "uploading", socket);
  expect(await noted(instance, "the end", "uploading", ({ ended }) => ended === true)).toMatchObject({ bodyError: "cancelled" });
});

test("an upload of 1 MiB that nobody reads", async () => {
  const body = `100000\r\n${"x".repeat(1024 * 1024)}\r\n`;
  const socket = await open("unread", "/observed/unread", "POST", body);
  await noted(instance, "the begin", "unread", ({ begun }) => begun === true);
  await waitFor("the last byte with the system", () => socket.writableLength === 0);
  await leave("an upload that nobody reads", "unread", socket);
  await noted(instance, "the end", "unread", ({ ended }) => ended === true);
});

test("a request that waits for a replica never reaches it, and those behind it do", async () => {
  await serve.createBackend({ name: "narrow", handler: "./observed.ts#Observed", config: { maxConcurrentQueries: 1 } });
  await serve.createEndpoint("narrow", { backend: "narrow", route: "/narrow/*" });
  const running = await open("narrow-1", "/narrow/hold");
  await waitFor("the first", async () => (await inFlight(instance)) > 0);
  const waiting = await open("narrow-2", "/narrow/stubborn?ms=60000");
  const behind = instance.fetch("/narrow/remaining");
  await waitFor("those that wait", async () => {
    const { bridges } = await serve.status();
    return bridges.reduce((sum, bridge) => sum + bridge.inFlight, 0) >= 3;
  });
  waiting.destroy();
  running.destroy();
  // Had the second one run, the third would wait for a minute.
  expect((await behind).status).toBe(200);
});

test("a request that waits in a batch leaves it, and the handler never sees it; the others are one batch", async () => {
  const config = { maxBatchSize: 3, batchWaitTimeoutMs: 30_000 };
  await serve.createBackend({ name: "gathering", handler: "./observed.ts#batch", config });
  await serve.createEndpoint("gathering", { backend: "gathering", route: "/gathering/*" });
  const leaving = await open("g-1", "/gathering/a");
  const staying = instance.fetch("/gathering/b", { headers: { "x-request-id": "g-2" } });
  await inReplicas("gathering", 2);
  leaving.destroy();
  await inReplicas("gathering", 1);
  const last = instance.fetch("/gathering/c", { headers: { "x-request-id": "g-3" } });
  // The question for the notes is the third of their batch, and must come behind them.
  await inReplicas("gathering", 2);
  const notes = batchesOf(instance, "gathering");
  expect([(await staying).status, (await last).status]).toEqual([200, 200]);
  const [first] = await notes;
  expect(first?.ids.slice(0, 2)).toEqual(["g-2", "g-3"]);
});

test("in a running batch: its own request's signal, and the batch's when all are gone", async () => {
  const config = { maxBatchSize: 3, batchWaitTimeoutMs: 30_000, maxConcurrentBatches: 2 };
  await serve.createBackend({ name: "batched", handler: "./observed.ts#batch", config });
  await serve.createEndpoint("batched", { backend: "batched", route: "/batched/*" });
  const sockets = await Promise.all(["b-1", "b-2", "b-3"].map((id) => open(id, "/batched/hold")));
  // The questions for the notes reach the replica by another way, and must not be of this batch.
  await inReplicas("batched", 3);
  const look = async (): Promise<BatchNote | undefined> => {
    const three = [0, 1, 2].map(() => batchesOf(instance, "batched"));
    return (await Promise.all(three))[0]?.find(({ ids }) => ids.includes("b-1"));
  };
  await waitFor("the batch", look);
  sockets[0]?.destroy();
  sockets[1]?.destroy();
  const two = await waitFor("two aborts", async () => {
    const note = await look();
    return note?.aborted.length === 2 ? note : null;
  });
  expect({ aborted: [...two.aborted].sort(), batchAborted: two.batchAborted }).toEqual({ aborted: ["b-1", "b-2"], batchAborted: false });
  sockets[2]?.destroy();
  await waitFor("the batch's abort", async () => (await look())?.batchAborted === true);
});

test("a cancelled request counts against maxConcurrentQueries until its handler has settled", async () => {
  const config = { maxConcurrentQueries: 1, methods: OBSERVED_METHODS };
  await serve.createBackend({ name: "strict", handler: "./observed.ts#Observed", config });
  await serve.createEndpoint("strict", { backend: "strict", route: "/strict/*" });
  const socket = await open("strict-1", "/strict/stubborn?ms=5000");
  await inReplicas("strict", 1);
  socket.destroy();
  // As the handler answers: whoever gets in finds the other one ended.
  const { byId } = (await serve.handle("strict", { method: "notes" }).call()) as Notes;
  expect(byId["strict-1"]).toMatchObject({ aborted: "cancelled", ended: true });
});

test("2,000 requests that are cancelled, waiting, running, streaming, uploading or in batches, leave nothing behind", async () => {
  const config = { maxBatchSize: 50, batchWaitTimeoutMs: 30_000, maxConcurrentQueries: 400, maxQueuedRequests: 2_000 };
  await serve.createBackend({ name: "many-batches", handler: "./observed.ts#batch", config });
  await serve.createEndpoint("many-batches", { backend: "many-batches", route: "/many-batches/*" });
  await serve.updateBackend("observed", { config: { maxConcurrentQueries: 1_000, maxQueuedRequests: 2_000 } });
  await waitFor("quiet", async () => (await inFlight(instance)) === 0);
  const before = (await notesOf(instance)).resources;
  const kinds = [
    ["/observed/hold", "GET"],
    ["/observed/ticks?ms=5", "GET"],
    ["/observed/read", "POST"],
    ["/many-batches/hold", "GET"],
  ] as const;
  const all: { readonly id: string; readonly socket: Socket }[] = [];
  for (let n = 0; n < 2_000; n++) {
    const [path, method] = kinds[n % kinds.length] ?? kinds[0];
    const id = `many-${n}`;
    all.push({ id, socket: await open(id, path, method, method === "POST" ? "5\r\nhello\r\n" : "") });
  }
  // 1,500 for a replica of 1,000 places, 500 for one of 400: the rest waits in the bridge.
  await waitFor("all of them", async () => (await serve.status()).bridges.reduce((sum, bridge) => sum + bridge.inFlight, 0) === 2_000);
  const leftAt = Date.now();
  for (const { socket } of all) socket.destroy();
  await waitFor("the end of all", async () => (await inFlight(instance)) === 0);
  const notes = await notesOf(instance);
  const mine = all.flatMap(({ id }) => notes.byId[id] ?? []);
  expect(mine.length).toBeGreaterThanOrEqual(1_000);
  for (const note of mine) expect(note).toMatchObject({ aborted: "cancelled", ended: true });
  latencies.push({ what: "the last of 2,000 at once", ms: Math.max(...mine.map(({ abortedAt = 0 }) => abortedAt)) - leftAt });
  // No timer and no socket more than before; a load report may be under way.
  const more = Object.entries(notes.resources).filter(([kind, count]) => count > (before[kind] ?? 0) + 1);
  expect(more).toEqual([]);
  // And all of it serves on.
  expect((await instance.fetch("/observed/remaining")).status).toBe(200);
  expect((await instance.fetch("/many-batches/a")).status).toBe(200);
});

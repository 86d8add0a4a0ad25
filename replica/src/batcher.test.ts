// Batches in a replica, over a real socket: what comes together, what leaves, and what one request means for the others.
import { expect, test } from "@jest/globals";
import type { BatchContext, HandlerRequest } from "@headgate/core";
import { TestBridge, type TestReplica, startReplica, until } from "./testing/bridge.ts";
import type { RunnerLimits } from "./runner.ts";

type Call = (requests: readonly HandlerRequest[], batch: BatchContext) => unknown;

/** A replica whose handler takes batches. */
function serve(call: Call, limits: Partial<RunnerLimits>, more: Readonly<Record<string, Call>> = {}): Promise<TestReplica> {
  const methods = Object.entries({ handle: call, ...more }).map(([name, each]) => [
    name,
    // A runner hands a list of HandlerRequests, and what goes with it, to a handler that accepts batches.
    (input: unknown, batch?: BatchContext) => each(input as readonly HandlerRequest[], batch as BatchContext),
  ]);
  return startReplica(Object.fromEntries(methods), { batches: true, limits });
}

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

test("what comes while a batch runs gathers and leaves when it ends, at most maxBatchSize at a time, one batch after the other", async () => {
  const sizes: number[] = [];
  let running = 0;
  const gates: (() => void)[] = [];
  await using replica = await serve(
    async (requests) => {
      sizes.push(requests.length);
      expect(++running).toBe(1);
      await new Promise<void>((done) => gates.push(done));
      running--;
      return requests.map(() => "done");
    },
    { maxBatchSize: 4, batchWaitTimeoutMs: 0 },
  );
  const bridge = new TestBridge(replica.address);
  bridge.open();
  await until(() => sizes.length === 1);
  const ids = Array.from({ length: 9 }, () => bridge.open());
  await until(() => replica.runner.load.inFlight === 10);
  for (let batch = 0; batch < 4; batch++) {
    await until(() => gates.length > batch);
    gates[batch]?.();
  }
  await until(() => ids.every((id) => bridge.text(id) === "done"));
  expect(sizes).toEqual([1, 4, 4, 1]);
  bridge.close();
});

test("as many batches of a method run side by side as maxConcurrentBatches says, and those of another method beside them", async () => {
  let running = 0;
  let most = 0;
  let others = 0;
  const gate = Promise.withResolvers<void>();
  const count = async (requests: readonly HandlerRequest[]): Promise<readonly string[]> => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
    return requests.map(() => "done");
  };
  await using replica = await serve(
    count,
    { maxBatchSize: 2, batchWaitTimeoutMs: 0, maxConcurrentBatches: 3 },
    {
      other: (requests) => {
        others += requests.length;
        return requests.map(() => "other");
      },
    },
  );
  const bridge = new TestBridge(replica.address);
  const ids = Array.from({ length: 12 }, () => bridge.open());
  await until(() => running === 3);
  const other = bridge.open({ callMethod: "other" });
  await until(() => bridge.text(other) === "other");
  gate.resolve();
  await until(() => ids.every((id) => bridge.reply(id).ended));
  expect({ most, others }).toEqual({ most: 3, others: 1 });
  bridge.close();
});

test("batches are gathered per method, and no method named is the method handle", async () => {
  const lists: string[] = [];
  const note =
    (name: string): Call =>
    (requests) => {
      lists.push(`${name} ${requests.length}`);
      return requests.map(() => name);
    };
  await using replica = await serve(note("handle"), { maxBatchSize: 4, batchWaitTimeoutMs: 10_000 }, { other: note("other") });
  const bridge = new TestBridge(replica.address);
  const ids = ["", "other", "handle", "other", "", "other", "handle", "other"].map((callMethod) => bridge.open({ callMethod }));
  await until(() => ids.every((id) => bridge.reply(id).ended));
  expect(lists.sort()).toEqual(["handle 4", "other 4"]);
  bridge.close();
});

test("a request that is cancelled while it waits leaves its batch, and the handler never sees it", async () => {
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  await using replica = await serve(
    async (requests) => {
      seen.push(requests.map(({ requestId }) => requestId).join(" "));
      await gate.promise;
      return requests.map(() => "done");
    },
    { maxBatchSize: 4, batchWaitTimeoutMs: 0 },
  );
  const bridge = new TestBridge(replica.address);
  bridge.open();
  await until(() => seen.length === 1);
  const [a = 0, b = 0, c = 0] = Array.from({ length: 3 }, () => bridge.open());
  await until(() => replica.runner.load.inFlight === 4);
  bridge.cancel(b);
  await until(() => replica.runner.load.inFlight === 3);
  gate.resolve();
  await until(() => bridge.reply(a).ended && bridge.reply(c).ended);
  expect(seen).toEqual(["r-1", "r-2 r-4"]);
  bridge.close();
});

test("in a running batch a cancel aborts its own request's signal, and the batch's only when all are gone; the slots stay taken", async () => {
  const events: string[] = [];
  const gate = Promise.withResolvers<void>();
  await using replica = await serve(
    async (requests, batch) => {
      for (const request of requests) request.signal.addEventListener("abort", () => events.push(request.requestId));
      batch.signal.addEventListener("abort", () => events.push("batch"));
      await gate.promise;
      return requests.map(() => "done");
    },
    { maxBatchSize: 3, batchWaitTimeoutMs: 10_000 },
  );
  const bridge = new TestBridge(replica.address);
  const ids = Array.from({ length: 3 }, () => bridge.open());
  await until(() => replica.runner.load.inFlight === 3);
  await sleep(5);
  const [first = 0, second = 0, third = 0] = ids;
  bridge.cancel(first);
  bridge.cancel(second);
  await until(() => events.length === 2);
  expect(events).toEqual(["r-1", "r-2"]);
  bridge.cancel(third);
  await until(() => events.length === 4);
  expect(events.slice(2)).toEqual(["r-3", "batch"]);
  expect(replica.runner.load.inFlight).toBe(3);
  gate.resolve();
  await until(() => replica.runner.load.inFlight === 0);
  expect(bridge.replies.size).toBe(0);
  bridge.close();
});

test("one fails alone by an Error or a promise that rejects; a promise, a Response and a stream are results like others", async () => {
  await using replica = await serve(
    () => [
      new Error("no"),
      Promise.reject(new Error("no")),
      Promise.resolve("later"),
      new Response("made", { status: 201 }),
      (async function* () {
        yield "a";
        await sleep(5);
        yield "b";
      })(),
    ],
    { maxBatchSize: 5, batchWaitTimeoutMs: 10_000 },
  );
  const bridge = new TestBridge(replica.address);
  const ids = Array.from({ length: 5 }, () => bridge.open());
  await until(() => ids.every((id) => bridge.reply(id).ended));
  const outcomes = ids.map((id) => bridge.reply(id).fault || `${bridge.reply(id).status} ${bridge.text(id)}`);
  expect(outcomes).toEqual(["handler_error", "handler_error", "200 later", "201 made", "200 ab"]);
  expect(replica.logged).toHaveLength(2);
  bridge.close();
});

test("a batch whose promises settle late has not ended before they have", async () => {
  let batches = 0;
  const gate = Promise.withResolvers<string>();
  await using replica = await serve(
    () => {
      batches++;
      return [gate.promise];
    },
    { maxBatchSize: 1, batchWaitTimeoutMs: 0 },
  );
  const bridge = new TestBridge(replica.address);
  const ids = [bridge.open(), bridge.open()];
  await until(() => replica.runner.load.inFlight === 2);
  await sleep(20);
  expect(batches).toBe(1);
  gate.resolve("done");
  await until(() => ids.every((id) => bridge.text(id) === "done"));
  expect(batches).toBe(2);
  bridge.close();
});

test("what waits leaves at once where no other request can come: the replica is full, or drains", async () => {
  const sizes: number[] = [];
  await using replica = await serve(
    (requests) => {
      sizes.push(requests.length);
      return requests.map(() => "done");
    },
    { maxBatchSize: 8, batchWaitTimeoutMs: 60_000, maxConcurrentQueries: 3 },
  );
  const bridge = new TestBridge(replica.address);
  const full = Array.from({ length: 3 }, () => bridge.open());
  await until(() => full.every((id) => bridge.reply(id).ended));
  const last = bridge.open();
  await until(() => replica.runner.load.inFlight === 1);
  await replica.runner.drain();
  await until(() => bridge.text(last) === "done");
  expect(sizes).toEqual([3, 1]);
  bridge.close();
});

test("without maxBatchSize lists of one run side by side", async () => {
  let running = 0;
  const gate = Promise.withResolvers<void>();
  await using replica = await serve(
    async (requests) => {
      running++;
      await gate.promise;
      return requests.map(() => requests.length);
    },
    { maxBatchSize: null },
  );
  const bridge = new TestBridge(replica.address);
  const ids = Array.from({ length: 5 }, () => bridge.open());
  await until(() => running === 5);
  gate.resolve();
  await until(() => ids.every((id) => bridge.text(id) === "1"));
  bridge.close();
});

test("a handler that keeps the event loop busy answers each batch before the next, and later ones take what came meanwhile", async () => {
  const sizes: number[] = [];
  const answered: number[] = [];
  await using replica = await serve(
    (requests) => {
      sizes.push(requests.length);
      const end = performance.now() + 20;
      while (performance.now() < end);
      return requests.map(() => "done");
    },
    { maxBatchSize: 8, batchWaitTimeoutMs: 0 },
  );
  const bridge = new TestBridge(replica.address);
  const ids = Array.from({ length: 20 }, () => bridge.open());
  const note = setInterval(() => answered.push(ids.filter((id) => bridge.reply(id).ended).length), 1);
  await until(() => ids.every((id) => bridge.reply(id).ended));
  clearInterval(note);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(20);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(8);
  // The replica runs in this process: the test's own turns show that answers came between batches.
  expect(new Set(answered).size).toBeGreaterThan(1);
  bridge.close();
});

/** The way of a request that handlers of the replica itself have made, one from the other. */
const own = (depth: number): readonly string[] => Array.from({ length: depth }, () => "test");

test("a batch whose handler calls its own backend does not wait for itself, nor for others, at any depth", async () => {
  const sizes: string[] = [];
  await using replica = await serve(
    async (requests) => {
      const depths = await Promise.all(requests.map(async (request) => Number(await request.text())));
      sizes.push(depths.join(" "));
      const calls = depths
        .filter((depth) => depth < 3)
        .map((depth) => bridge.open({ body: Buffer.from(`${depth + 1}`), via: own(depth + 1) }));
      await until(() => calls.every((id) => bridge.reply(id).ended));
      return requests.map(() => "done");
    },
    { maxBatchSize: 4, batchWaitTimeoutMs: 60_000, maxConcurrentBatches: 1 },
  );
  const bridge = new TestBridge(replica.address);
  const ids = Array.from({ length: 4 }, () => bridge.open({ body: Buffer.from("0") }));
  await until(() => ids.every((id) => bridge.text(id) === "done"));
  expect(sizes.join(" ").split(" ").sort().join("")).toBe("0000111122223333");
  for (const batch of sizes) expect(new Set(batch.split(" ")).size).toBe(1);
  bridge.close();
});

test("requests in a circle gather behind a batch as deep as they, never with others, at most maxConcurrentBatches at each depth", async () => {
  const running = new Map<string, () => void>();
  await using replica = await serve(
    async (requests) => {
      const all = (await Promise.all(requests.map((request) => request.text()))).join(" ");
      await new Promise<void>((done) => running.set(all, done));
      running.delete(all);
      return requests.map(() => "done");
    },
    { maxBatchSize: 4, batchWaitTimeoutMs: 0, maxConcurrentBatches: 1 },
  );
  const bridge = new TestBridge(replica.address);
  const ways = [[], own(1), own(2)];
  const ids = ways.map((via, at) => bridge.open({ body: Buffer.from(`first ${at}`), via }));
  await until(() => running.size === 3);
  // What came by another backend alone goes with what came from outside; a way of two goes with a way of two.
  for (const via of [[], ["other"], own(1), own(2), ["test", "other"], ["other", "test"], own(1)]) {
    ids.push(bridge.open({ body: Buffer.from(`(${via.join(" ")})`), via }));
  }
  await until(() => replica.runner.load.inFlight === 10);
  expect([...running.keys()]).toEqual(["first 0", "first 1", "first 2"]);
  running.get("first 1")?.();
  await until(() => running.has("(test) (test)"));
  running.get("first 0")?.();
  running.get("first 2")?.();
  await until(() => running.has("() (other)") && running.has("(test test) (test other) (other test)"));
  for (const done of running.values()) done();
  await until(() => ids.every((id) => bridge.text(id) === "done"));
  bridge.close();
});

test("a call in a circle that is cancelled while it waits leaves the batch of its depth, and the handler never sees it", async () => {
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  await using replica = await serve(
    async (requests) => {
      seen.push(requests.map(({ requestId }) => requestId).join(" "));
      await gate.promise;
      return requests.map(() => "done");
    },
    { maxBatchSize: 4, batchWaitTimeoutMs: 0 },
  );
  const bridge = new TestBridge(replica.address);
  bridge.open();
  bridge.open({ via: own(1) });
  await until(() => seen.length === 2);
  const [leaver = 0, stayer = 0] = [1, 2].map(() => bridge.open({ via: own(1) }));
  await until(() => replica.runner.load.inFlight === 4);
  bridge.cancel(leaver);
  await until(() => replica.runner.load.inFlight === 3);
  gate.resolve();
  await until(() => bridge.reply(stayer).ended);
  expect(seen).toEqual(["r-1", "r-2", "r-4"]);
  bridge.close();
});

test("where requests that gather have all places, a call in a circle gets in for them, and no more than maxConcurrentQueries run", async () => {
  const sizes: number[] = [];
  const ends: (() => void)[] = [];
  const calls = Promise.withResolvers<void>();
  await using replica = await serve(
    async (requests) => {
      const texts = await Promise.all(requests.map((request) => request.text()));
      if (texts.includes("called")) await calls.promise;
      else {
        sizes.push(requests.length);
        await new Promise<void>((done) => ends.push(done));
      }
      return texts;
    },
    { maxBatchSize: 4, batchWaitTimeoutMs: 0, maxConcurrentBatches: 2, maxConcurrentQueries: 8 },
  );
  const bridge = new TestBridge(replica.address);
  const ids = [bridge.open()];
  await until(() => sizes.length === 1);
  ids.push(bridge.open());
  await until(() => sizes.length === 2);
  for (let i = 0; i < 6; i++) ids.push(bridge.open());
  await until(() => replica.runner.load.inFlight === 8);
  const call = (): number => bridge.open({ body: Buffer.from("called"), via: own(1) });
  const called = Array.from({ length: 6 }, call);
  await until(() => replica.runner.load.inFlight === 14);
  const [one, outside] = [call(), bridge.open()];
  await until(() => bridge.reply(one).ended && bridge.reply(outside).ended);
  expect([bridge.reply(one).fault, bridge.reply(outside).fault]).toEqual(["replica_busy", "replica_busy"]);
  // Two run, and six that they call: a batch that ends leaves room for one of those that gather, though a batch could have four.
  ends[0]?.();
  await until(() => sizes.length === 3);
  ends[1]?.();
  await until(() => sizes.length === 4);
  expect(sizes).toEqual([1, 1, 1, 1]);
  calls.resolve();
  await until(() => called.every((id) => bridge.text(id) === "called"));
  ends[2]?.();
  await until(() => sizes.length === 5);
  expect(sizes).toEqual([1, 1, 1, 1, 4]);
  for (const end of ends) end();
  await until(() => ids.every((id) => bridge.reply(id).ended));
  expect(replica.runner.load.inFlight).toBe(0);
  bridge.close();
});

test("what could start but for calls in a circle that run in its place starts when these end", async () => {
  const sizes: number[] = [];
  const gate = Promise.withResolvers<void>();
  const call = Promise.withResolvers<void>();
  const limits = { maxBatchSize: 4, batchWaitTimeoutMs: 0, maxConcurrentBatches: 1, maxConcurrentQueries: 5 };
  await using replica = await serve(async (requests) => {
    const texts = await Promise.all(requests.map((request) => request.text()));
    if (!texts.includes("called")) sizes.push(requests.length);
    await (texts.includes("called") ? call.promise : gate.promise);
    return texts;
  }, limits);
  const bridge = new TestBridge(replica.address);
  const ids = [bridge.open()];
  await until(() => sizes.length === 1);
  for (let i = 0; i < 4; i++) ids.push(bridge.open());
  await until(() => replica.runner.load.inFlight === 5);
  const called = bridge.open({ body: Buffer.from("called"), via: own(1) });
  await until(() => replica.runner.load.inFlight === 6);
  // Two run, as many as may from now on; a second batch would be let go by its own setting.
  replica.runner.configure({ ...limits, maxConcurrentBatches: 2, maxConcurrentQueries: 2 });
  const refused = bridge.open();
  await until(() => bridge.reply(refused).fault === "replica_busy");
  expect(sizes).toEqual([1]);
  call.resolve();
  await until(() => bridge.reply(called).ended && sizes.length === 2);
  expect(sizes).toEqual([1, 1]);
  gate.resolve();
  await until(() => ids.every((id) => bridge.reply(id).ended));
  bridge.close();
});

/** Like a promise, but answers more than once. */
function thenable(...answers: readonly unknown[]): object {
  const made = {};
  Reflect.set(made, "then", (resolve: (value: unknown) => void): void => {
    for (const answer of answers) resolve(answer);
  });
  return made;
}

test("whatever a batch of a kind that nobody expects comes to, its requests are answered once and the next batch runs", async () => {
  const odd: Readonly<Record<string, Call>> = {
    rejects: (requests) => requests.map(() => Promise.reject(Object.create(null))),
    twice: (requests) => requests.map(() => thenable("one", "two")),
    listTwice: (requests) =>
      thenable(
        requests.map(() => "one"),
        [],
      ),
    unnamed: async () => {
      throw Object.defineProperty(new Error("odd"), "name", { value: undefined });
    },
    unreadable: async (requests) =>
      Object.defineProperty([...requests.map(() => "one")], 1, {
        get: () => {
          throw new Error("not this one");
        },
      }),
    unnamedOnes: (requests) => requests.map(() => Object.defineProperty(new Error("odd"), "name", { value: undefined })),
    noIterators: (requests) => requests.map(() => ({ [Symbol.asyncIterator]: () => undefined })),
  };
  await using replica = await serve((requests) => requests.map(() => "done"), { maxBatchSize: 2, batchWaitTimeoutMs: 60_000 }, odd);
  const bridge = new TestBridge(replica.address);
  for (const callMethod of [...Object.keys(odd), ...Object.keys(odd)]) {
    const ids = [bridge.open({ callMethod }), bridge.open({ callMethod })];
    await until(() => ids.every((id) => bridge.reply(id).ended));
    const answers = ids.map((id) => bridge.reply(id).fault || bridge.text(id));
    const expected = callMethod.toLowerCase().includes("twice") ? "one" : expect.stringMatching(/^handler_(error|result_invalid)$/);
    expect(answers).toEqual([expected, expected]);
    await until(() => replica.runner.load.inFlight === 0);
  }
  bridge.close();
});

// A replica's server on a real socket, spoken to as a bridge does: bodies and trailers, what a cancel and a deadline reach,
// and that nothing is left of requests that have ended.
import { expect, test } from "@jest/globals";
import { HeadgateError, type HandlerRequest, LIMITS } from "@headgate/core";
import { TestBridge, startReplica, until } from "./testing/bridge.ts";

/** Resolves when a request's signal aborts, with its reason's code. */
const aborted = (request: HandlerRequest): Promise<string> =>
  new Promise((resolve) => {
    const tell = (): void => resolve(request.signal.reason instanceof HeadgateError ? request.signal.reason.code : "other");
    if (request.signal.aborted) tell();
    else request.signal.addEventListener("abort", tell);
  });

test("a cancel aborts the signal with its reason, and the request counts until its handler has settled", async () => {
  const reasons: string[] = [];
  const gate = Promise.withResolvers<void>();
  await using replica = await startReplica(async (request) => {
    reasons.push(await aborted(request));
    await gate.promise;
  });
  const bridge = new TestBridge(replica.address);
  const left = bridge.open();
  const expired = bridge.open();
  await until(() => replica.runner.load.inFlight === 2);
  bridge.cancel(left);
  bridge.cancel(expired, "deadline_exceeded");
  await until(() => reasons.length === 2);
  expect(reasons).toEqual(["cancelled", "deadline_exceeded"]);
  expect(replica.runner.load.inFlight).toBe(2);
  gate.resolve();
  await until(() => replica.runner.load.inFlight === 0);
  expect(bridge.replies.size).toBe(0);
  bridge.close();
});

test("a deadline aborts the signal and answers, though the bridge says nothing", async () => {
  const reasons: string[] = [];
  const remaining: number[] = [];
  await using replica = await startReplica(async (request) => {
    remaining.push(request.remainingMs);
    reasons.push(await aborted(request));
    remaining.push(request.remainingMs);
    return "too late";
  });
  const bridge = new TestBridge(replica.address);
  const id = bridge.open({ timeoutMs: 50 });
  await until(() => bridge.reply(id).ended);
  expect({ fault: bridge.reply(id).fault, reasons, logged: replica.logged }).toEqual({
    fault: "deadline_exceeded",
    reasons: ["deadline_exceeded"],
    logged: [],
  });
  expect(remaining[0]).toBeGreaterThan(0);
  expect(remaining[0]).toBeLessThanOrEqual(51);
  expect(remaining[1]).toBe(0);
  const none = bridge.open({ timeoutMs: 0 });
  await until(() => remaining.length === 3);
  expect(remaining[2]).toBe(Number.POSITIVE_INFINITY);
  bridge.cancel(none);
  bridge.close();
});

test("what a handler throws because its signal aborted is no news for the log; anything else is", async () => {
  await using replica = await startReplica(async (request) => {
    await aborted(request);
    if (request.method === "GET") request.signal.throwIfAborted();
    if (request.method === "PUT") throw new DOMException("gone", "AbortError");
    throw new Error("a mistake");
  });
  const bridge = new TestBridge(replica.address);
  const ids = ["GET", "PUT", "POST"].map((method) => bridge.open({ method }));
  await until(() => replica.runner.load.inFlight === 3);
  for (const id of ids) bridge.cancel(id);
  await until(() => replica.runner.load.inFlight === 0);
  expect(replica.logged).toEqual([new Error("a mistake")]);
  bridge.close();
});

test("a cancel ends the body that a handler reads", async () => {
  const errors: unknown[] = [];
  await using replica = await startReplica((request) => request.text().catch((error: unknown) => errors.push(error)));
  const bridge = new TestBridge(replica.address);
  const id = bridge.open({ method: "POST", body: Buffer.from("half"), end: false });
  await until(() => replica.runner.load.inFlight === 1);
  bridge.cancel(id);
  await until(() => replica.runner.load.inFlight === 0);
  expect(errors).toMatchObject([{ code: "cancelled" }]);
  bridge.close();
});

test("a handler that answers without reading lets go of the body; who still reads it is told", async () => {
  const errors: unknown[] = [];
  await using replica = await startReplica((request) => {
    request.text().catch((error: unknown) => errors.push(error));
    return "answered";
  });
  const bridge = new TestBridge(replica.address);
  const id = bridge.open({ method: "POST", body: Buffer.from("half"), end: false });
  await until(() => bridge.reply(id).ended);
  expect(bridge.text(id)).toBe("answered");
  await until(() => errors.length === 1);
  expect(errors).toMatchObject([{ code: "cancelled" }]);
  // What was on its way meanwhile disturbs nobody.
  bridge.body(id, Buffer.from("rest"), true);
  const next = bridge.open();
  await until(() => bridge.reply(next).ended);
  expect(bridge.closed).toBe(false);
  bridge.close();
});

test("a body gets further credit as it is read and no sooner; one beyond its credit ends the session", async () => {
  const gate = Promise.withResolvers<void>();
  await using replica = await startReplica(async (request) => {
    await (request.method === "PUT" ? aborted(request) : gate.promise);
    return String((await request.text()).length);
  });
  const bridge = new TestBridge(replica.address);
  const chunk = Buffer.alloc(LIMITS.bodyChunkBytes, "x");
  const id = bridge.open({ method: "POST", end: false });
  for (let sent = 0; sent < LIMITS.streamWindowBytes; sent += chunk.length) bridge.body(id, chunk, false);
  const other = bridge.open({ method: "POST", end: false });
  bridge.body(other, Buffer.from("y"), true);
  gate.resolve();
  await until(() => bridge.reply(id).credit === LIMITS.streamWindowBytes);
  bridge.body(id, null, true);
  await until(() => bridge.reply(id).ended && bridge.reply(other).ended);
  expect([bridge.text(id), bridge.text(other)]).toEqual([String(LIMITS.streamWindowBytes), "1"]);

  const broken = new TestBridge(replica.address);
  const greedy = broken.open({ method: "PUT", end: false });
  for (let sent = 0; sent <= LIMITS.streamWindowBytes; sent += chunk.length) broken.body(greedy, chunk, false);
  await until(() => broken.closed);
  await until(() => replica.runner.load.inFlight === 0);
  bridge.close();
});

test("trailers of the request are there when its body has ended, and a handler's follow its answer, whole or streamed", async () => {
  await using replica = await startReplica(async (request) => {
    const trailers = request.trailers;
    request.setTrailer("X-Before", "1");
    const text = await request.text();
    request.setTrailer("x-length", String(text.length));
    const seen = JSON.stringify([...(await trailers)]);
    if (request.method === "PUT") return seen;
    return (async function* () {
      yield seen;
      await new Promise((done) => setTimeout(done, 5));
      request.setTrailer("x-late", "2");
    })();
  });
  const bridge = new TestBridge(replica.address);
  for (const method of ["PUT", "POST"]) {
    const id = bridge.open({ method, end: false });
    bridge.body(id, Buffer.from("hello"), true, ["x-sum", "7"]);
    await until(() => bridge.reply(id).ended);
    expect(bridge.text(id)).toBe('[["x-sum","7"]]');
    const late = method === "PUT" ? [] : ["x-late", "2"];
    expect(bridge.reply(id).trailers).toEqual(["x-before", "1", "x-length", "5", ...late]);
  }
  const none = bridge.open({ method: "PUT", body: Buffer.from("x") });
  await until(() => bridge.reply(none).ended);
  expect(bridge.text(none)).toBe("[]");
  bridge.close();
});

test("a field that cannot be a trailer is refused, and the request goes on", async () => {
  await using replica = await startReplica((request) => {
    const codes = ["content-length", "a b", "x-y"].map((name) => {
      try {
        request.setTrailer(name, "1");
        return "taken";
      } catch (error) {
        return error instanceof HeadgateError ? error.code : "other";
      }
    });
    expect(() => request.setTrailer("x-y", "1\r\nx: 2")).toThrow("cannot be a trailer");
    expect(() => request.setTrailer("x-y", "1".repeat(LIMITS.headerBytes))).toThrow("at most");
    return codes;
  });
  const bridge = new TestBridge(replica.address);
  const id = bridge.open();
  await until(() => bridge.reply(id).ended);
  expect(JSON.parse(bridge.text(id))).toEqual(["invalid_argument", "invalid_argument", "taken"]);
  expect(bridge.reply(id).trailers).toEqual(["x-y", "1"]);
  bridge.close();
});

test("pieces of many streams in one turn leave in one frame for each", async () => {
  await using replica = await startReplica(async function* () {
    for (let n = 0; n < 50; n++) {
      await Promise.resolve();
      yield "token ";
    }
    await new Promise((done) => setTimeout(done, 20));
    yield "end";
  });
  const bridge = new TestBridge(replica.address);
  const ids = Array.from({ length: 20 }, () => bridge.open());
  await until(() => ids.every((id) => bridge.reply(id).ended));
  for (const id of ids) expect(bridge.text(id)).toBe(`${"token ".repeat(50)}end`);
  expect(bridge.frames).toBe(40);
  bridge.close();
});

test("what an iterator gives while its pieces are being sent leaves without anything else coming", async () => {
  await using replica = await startReplica((request) => {
    if (request.method === "PUT") return "x".repeat(LIMITS.streamWindowBytes + 1);
    return (function* () {
      for (let n = 0; n < 2_000; n++) yield "piece";
    })();
  });
  const bridge = new TestBridge(replica.address);
  const many = bridge.open();
  await until(() => bridge.reply(many).ended);
  expect(bridge.text(many)).toBe("piece".repeat(2_000));
  const large = bridge.open({ method: "PUT" });
  await until(() => bridge.text(large).length === LIMITS.streamWindowBytes);
  bridge.grant(large, LIMITS.bodyChunkBytes);
  await until(() => bridge.reply(large).ended);
  expect(bridge.text(large)).toHaveLength(LIMITS.streamWindowBytes + 1);
  bridge.close();
});

test("2,000 requests cancelled wherever they are leave nothing: no request, no timer, no iterator, no waiting item", async () => {
  let open = 0;
  let cleaned = 0;
  await using single = await startReplica((request) => {
    open++;
    if (request.method === "PUT") {
      return (async function* () {
        try {
          for (;;) {
            yield "piece ".repeat(100);
            await new Promise((done) => setTimeout(done, 1));
          }
        } finally {
          cleaned++;
        }
      })();
    }
    if (request.method === "POST") return request.text();
    return aborted(request);
  });
  let seen = 0;
  await using batched = await startReplica(
    {
      handle: async (input, batch) => {
        // Batches get lists of requests.
        const requests = input as readonly HandlerRequest[];
        seen += requests.length;
        await Promise.all([...requests.map((request) => aborted(request)), batch === undefined ? null : ended(batch.signal)]);
        return requests.map(() => "late");
      },
    },
    { batches: true, limits: { maxBatchSize: 50, batchWaitTimeoutMs: 60_000 } },
  );
  const before = timers();
  const bridge = new TestBridge(single.address);
  const toBatched = new TestBridge(batched.address);
  const ids = Array.from({ length: 1500 }, (_, n) => {
    const method = ["GET", "PUT", "POST"][n % 3] ?? "GET";
    return bridge.open({ method, end: method !== "POST", timeoutMs: 50_000 });
  });
  const batchIds = Array.from({ length: 500 }, () => toBatched.open({ timeoutMs: 50_000 }));
  await until(() => open === 1500 && seen === 50 && batched.runner.load.inFlight === 500);
  for (const id of ids) bridge.cancel(id);
  for (const id of batchIds) toBatched.cancel(id);
  await until(() => single.runner.load.inFlight === 0 && batched.runner.load.inFlight === 0);
  expect({ cleaned, seen, logged: [...single.logged, ...batched.logged] }).toEqual({ cleaned: 500, seen: 50, logged: [] });
  await until(() => timers() <= before);
  bridge.close();
  toBatched.close();
});

/** How many timers run. */
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

/** Resolves when a signal aborts. */
function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}

test("requests whose bridge is gone end as cancelled ones", async () => {
  const reasons: string[] = [];
  await using replica = await startReplica(async (request) => {
    reasons.push(await aborted(request));
  });
  const bridge = new TestBridge(replica.address);
  bridge.open();
  await until(() => replica.runner.load.inFlight === 1);
  bridge.close();
  await until(() => replica.runner.load.inFlight === 0);
  expect(reasons).toEqual(["cancelled"]);
});

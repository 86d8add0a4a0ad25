// Unary Handle on a real socket: whole requests and answers, trailers, deadlines and callers who leave.
import { expect, test } from "@jest/globals";
import type { HandlerRequest } from "@headgate/core";
import { HandleRequest, HandleResponse } from "@headgate/proto/replica";
import { callUnary, connectTo } from "@headgate/rpc/stream";
import { type TestReplica, startReplica, until } from "./testing/bridge.ts";

const PATH = "/headgate.v1.ReplicaService/Handle";

interface CallOptions {
  /** By the header grpc-timeout. */
  readonly timeoutMs?: number;
  /** In the request's head. */
  readonly headTimeoutMs?: number;
  readonly secure?: boolean;
  readonly signal?: AbortSignal;
}

/** Calls Handle on a connection of its own. */
async function call(
  replica: TestReplica,
  { timeoutMs, headTimeoutMs = 0, secure = false, signal }: CallOptions = {},
): Promise<HandleResponse> {
  const connection = connectTo(
    replica.address,
    () => undefined,
    () => undefined,
  );
  const message = HandleRequest.encode(
    HandleRequest.fromPartial({
      head: { method: "POST", target: "/", timeoutMs: headTimeoutMs, requestId: "r", secure },
      body: Buffer.from("hello"),
      trailers: [{ name: "x-sum", value: "7" }],
    }),
  ).finish();
  try {
    const target = { path: PATH, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    return HandleResponse.decode(await callUnary(connection, target, message, signal ?? new AbortController().signal));
  } finally {
    connection.close();
  }
}

test("a request and its answer travel whole, with trailers both ways", async () => {
  await using replica = await startReplica(async (request) => {
    request.setTrailer("x-length", String((await request.text()).length));
    return { sum: (await request.trailers).get("x-sum") };
  });
  const { head, body, trailers, fault } = await call(replica);
  expect({ status: head?.status, body: Buffer.from(body).toString(), trailers, fault }).toEqual({
    status: 200,
    body: '{"sum":"7"}',
    trailers: [{ name: "x-length", value: "5" }],
    fault: undefined,
  });
});

test("the URL has the scheme of the caller's connection: http, unless the head says that it is one of TLS", async () => {
  await using replica = await startReplica((request) => request.url);
  const texts = await Promise.all(
    [{}, { secure: true }].map(async (options) => Buffer.from((await call(replica, options)).body).toString()),
  );
  expect(texts).toEqual(["http://localhost/", "https://localhost/"]);
});

test("a streamed answer is gathered, with the fields of its first piece", async () => {
  await using replica = await startReplica(async function* () {
    yield { a: 1 };
    yield "text";
  });
  const { head, body } = await call(replica);
  expect(head?.headers).toEqual([{ name: "content-type", value: "application/x-ndjson" }]);
  expect(Buffer.from(body).toString()).toBe('{"a":1}\ntext');
});

test.each<[string, CallOptions]>([
  ["grpc-timeout", { timeoutMs: 50 }],
  ["the head's timeout", { headTimeoutMs: 50 }],
  ["the lower of both", { timeoutMs: 50, headTimeoutMs: 60_000 }],
])("a deadline by %s is answered in time, and the handler's signal aborts", async (_name, options) => {
  const reasons: unknown[] = [];
  await using replica = await startReplica(
    (request: HandlerRequest) =>
      new Promise((resolve) => {
        expect(request.remainingMs).toBeLessThanOrEqual(50);
        request.signal.addEventListener("abort", () => {
          reasons.push(request.signal.reason);
          resolve("too late");
        });
      }),
  );
  const { head, fault } = await call(replica, options);
  expect({ head, code: fault?.code }).toEqual({ head: undefined, code: "deadline_exceeded" });
  expect(reasons).toMatchObject([{ code: "deadline_exceeded" }]);
  await until(() => replica.runner.load.inFlight === 0);
});

test("a handler that never looks at its signal is answered for in time", async () => {
  const gate = Promise.withResolvers<string>();
  await using replica = await startReplica(() => gate.promise);
  expect((await call(replica, { timeoutMs: 30 })).fault?.code).toBe("deadline_exceeded");
  expect(replica.runner.load.inFlight).toBe(1);
  gate.resolve("late");
  await until(() => replica.runner.load.inFlight === 0);
});

test("a caller who leaves aborts the signal and ends a stream", async () => {
  let ended = false;
  await using replica = await startReplica(async function* (request) {
    try {
      for (;;) {
        yield "x";
        await new Promise((done) => setTimeout(done, 1));
      }
    } finally {
      ended = request.signal.aborted;
    }
  });
  const leaving = new AbortController();
  const answer = call(replica, { signal: leaving.signal });
  await until(() => replica.runner.load.inFlight === 1);
  leaving.abort();
  await expect(answer).rejects.toMatchObject({ code: "cancelled" });
  await until(() => replica.runner.load.inFlight === 0);
  expect(ended).toBe(true);
});

test("a timeout that gRPC would not write is refused", async () => {
  await using replica = await startReplica(() => "x");
  await expect(call(replica, { timeoutMs: Number.NaN })).rejects.toMatchObject({ code: "malformed_request" });
});

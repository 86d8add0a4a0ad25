// A replica that was busy: how soon it gets more again, seen from where the calls arrive.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseEndpointSpec } from "@headgate/core";
import { ResponseFrame, SessionRequest, SessionResponse } from "@headgate/proto/replica";
import { type StreamServer, serveStreams } from "@headgate/rpc/stream-server";
import { Call, type CallSink } from "./call.ts";
import { Router } from "./router.ts";

let folder = "";
let server: StreamServer | null = null;
/** How many calls the replica takes; it answers none of them, and gives no room. */
let takes = 0;
const taken: string[] = [];
let refused = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "headgate-busy-"));
  server = await serveStreams(`unix:${join(folder, "a")}`, {
    "/headgate.v1.ReplicaService/Session": (call) => ({
      message: (message) => {
        for (const { streamId, head } of SessionRequest.decode(message).frames) {
          if (head === undefined) continue;
          if (taken.length < takes) {
            taken.push(head.requestId);
            continue;
          }
          refused++;
          const fault = { code: "replica_busy", message: "", details: {}, retryAfterMs: 0 };
          const frames = [ResponseFrame.fromPartial({ streamId, fault })];
          call.send(SessionResponse.encode(SessionResponse.fromPartial({ frames })).finish());
        }
      },
      halfClosed: () => call.end(null),
      closed: () => undefined,
    }),
  });
});

afterAll(async () => {
  server?.destroy();
  await rm(folder, { recursive: true, force: true });
});

/** Waits until something holds; the test's own time limit ends a wait in vain. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const SINK: CallSink = { head: () => true, body: () => true, release: () => true, fault: () => undefined, writable: () => undefined };

test("a replica that has places again gets what waits, though none of the calls that it has comes to an end", async () => {
  const router = new Router();
  const endpoint = parseEndpointSpec({ name: "e", route: "/", traffic: [{ backend: "b", weight: 1 }], shadows: [] });
  if (!endpoint.ok) throw new Error(endpoint.error.message);
  const replicas = [{ id: "a", address: `unix:${join(folder, "a")}`, transport: "session" as const }];
  const backend = { name: "b", maxConcurrentQueries: 100, maxQueuedRequests: 100, replicas };
  router.apply({ epoch: "e", sequence: 1n, revision: 1n, endpoints: [endpoint.value], backends: [backend] });
  const send = (id: string): void => {
    const live = router.table?.endpoint("e");
    if (live === undefined) throw new Error("no endpoint");
    router.dispatch(live, new Call("e", "GET", "/", [], id, performance.now() + 60_000, SINK), null);
  };
  try {
    takes = 1;
    send("first");
    await until(() => taken.length === 1);
    send("second");
    await until(() => refused > 0);
    takes = 12;
    await until(() => taken.length === 2);
    // What comes later waits no less.
    for (let i = 0; i < 10; i++) send(`later ${i}`);
    await until(() => taken.length === 12);
    expect(new Set(taken).size).toBe(12);
  } finally {
    router.close();
  }
});

// A replica that reads nothing, as it is stopped or in an endless loop: what is sent to it is bounded, however many requests come and go.

import { mkdtemp, rm } from "node:fs/promises";
import { type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { type Fault, LIMITS, parseEndpointSpec } from "@headgate/core";
import { Call } from "./call.ts";
import { Router } from "./router.ts";

const BODY_BYTES = 60_000;

test("no more than replicaUnreadBytes lies before a replica that does not read; what comes then waits, and leaves when it reads", async () => {
  const folder = await mkdtemp(join(tmpdir(), "headgate-unread-"));
  const address = join(folder, "a");
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => undefined);
    resolve(socket);
  });
  await new Promise<void>((done) => server.listen(address, done));
  const router = new Router();
  try {
    const endpoint = parseEndpointSpec({ name: "e", route: "/", traffic: [{ backend: "b", weight: 1 }] });
    if (!endpoint.ok) throw new Error(endpoint.error.message);
    const replicas = [{ id: "a", address: `unix:${address}`, transport: "direct" as const }];
    const backend = { name: "b", maxConcurrentQueries: 100, maxQueuedRequests: 100, replicas };
    router.apply({ epoch: "e", sequence: 1n, revision: 1n, endpoints: [endpoint.value], backends: [backend] });
    await router.warm();
    const live = router.table?.endpoint("e");
    if (live === undefined) throw new Error("no endpoint");
    const faults: Fault[] = [];
    const send = (): Call => {
      const call = new Call("e", "POST", "/", [], "r", performance.now() + 60_000, {
        head: () => true,
        body: () => true,
        release: () => true,
        fault: (fault) => void faults.push(fault),
        writable: () => undefined,
      });
      call.pieces = [Buffer.alloc(BODY_BYTES)];
      router.dispatch(live, call, null);
      return call;
    };
    let sent = 0;
    for (let i = 0; i < 1_000; i++) {
      const call = send();
      if (call.state === "sent") sent++;
      await nextTurn();
      router.abandon(call);
    }
    expect(sent * BODY_BYTES).toBeGreaterThan(LIMITS.replicaUnreadBytes);
    // What the system has taken of it comes on top.
    expect(sent * BODY_BYTES).toBeLessThan(1.5 * LIMITS.replicaUnreadBytes);
    const waits = send();
    expect(waits.state).toBe("queued");
    const socket = await promise;
    socket.resume();
    while (waits.state === "queued") await nextTurn();
    expect([waits.state, faults]).toEqual(["sent", []]);
  } finally {
    router.close();
    (await promise).destroy();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
});

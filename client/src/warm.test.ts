// When a table's replicas are linked: what a bridge waits for before it says that a table is in force.

import { mkdtemp, rm } from "node:fs/promises";
import { type Socket, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { parseEndpointSpec } from "@headgate/core";
import { type StreamServer, serveStreams } from "@headgate/rpc/stream-server";
import { Router } from "./router.ts";

let folder = "";
const address = (name: string): string => (name === "deaf" ? `127.0.0.1:${deafPort}` : `unix:${join(folder, name)}`);
let replica: StreamServer | null = null;
let router = new Router();

/** Listens and never accepts: once its backlog is full, a connection is neither made nor refused. */
const DEAF = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:net").createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;
const deaf = new Worker(DEAF, { eval: true });
let deafPort = 0;
const backlog: Socket[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "headgate-warm-"));
  replica = await serveStreams(address("well"), {
    "/headgate.v1.ReplicaService/Session": (call) => ({
      message: () => undefined,
      halfClosed: () => call.end(null),
      closed: () => undefined,
    }),
  });
  deafPort = await new Promise<number>((resolve) => deaf.once("message", resolve));
  for (let n = 0; n < 10; n++) backlog.push(connect(deafPort, "127.0.0.1").on("error", () => undefined));
  await new Promise<void>((resolve) => backlog[0]?.once("connect", resolve));
});
afterEach(() => {
  router.close();
  router = new Router();
});
afterAll(async () => {
  replica?.destroy();
  for (const socket of backlog) socket.destroy();
  await deaf.terminate();
  await rm(folder, { recursive: true, force: true });
});

let sequence = 0n;
/** Puts a table in force with one backend of these replicas. */
function apply(...names: string[]): void {
  const endpoint = parseEndpointSpec({ name: "e", route: "/", traffic: [{ backend: "b", weight: 1 }], shadows: [] });
  if (!endpoint.ok) throw new Error(endpoint.error.message);
  const replicas = names.map((name) => ({ id: name, address: address(name), transport: "session" as const }));
  const backend = { name: "b", maxConcurrentQueries: 1, maxQueuedRequests: 1, replicas };
  sequence++;
  expect(router.apply({ epoch: "e", sequence, revision: sequence, endpoints: [endpoint.value], backends: [backend] })).toBe("in_force");
}
const open = (): number | undefined => router.table?.endpoint("e")?.shares[0]?.backend.openReplicas;

test("a table is warm when its replicas are linked", async () => {
  apply("well");
  expect(open()).toBe(0);
  await router.warm();
  expect(open()).toBe(1);
});

test("a replica that is not there, and one that cannot be connected to, hold it up for no longer than their first try", async () => {
  apply("well", "nowhere", "deaf");
  await router.warm();
  expect(open()).toBe(1);
  // The first try is over: no later table waits for them.
  apply("nowhere", "deaf");
  let turns = 0;
  const warm = router.warm().then(() => turns);
  for (; turns < 100; turns++) await Promise.resolve();
  expect(await warm).toBeLessThan(100);
});

test("replicas that leave the table are not waited for", async () => {
  apply("deaf");
  const warm = router.warm();
  apply("well");
  await warm;
  await router.warm();
  expect(open()).toBe(1);
});

// Requests for WebSockets at a bridge whose backend never answers: what it refuses by itself, and callers that leave while they wait.
import { once } from "node:events";
import type { Server } from "node:http";
import { type Socket, connect } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { Router } from "@headgate/client/data-plane";
import { LIMITS, parseEndpointSpec } from "@headgate/core";
import { Intake } from "./intake.ts";
import { createBridgeServer } from "./server.ts";
import { ReadAhead } from "./read-ahead.ts";
import { WebSockets } from "./websockets.ts";

let callers: Socket[] = [];
let open: { readonly server: Server; readonly router: Router }[] = [];
afterEach(() => {
  for (const socket of callers) socket.destroy();
  callers = [];
  for (const { server, router } of open) {
    server.closeAllConnections();
    server.close();
    router.close();
  }
  open = [];
});

/** A bridge with one endpoint at "/", whose backend has no replica. */
async function bridge() {
  const router = new Router();
  const endpoint = parseEndpointSpec({ name: "e", route: "/", traffic: [{ backend: "b", weight: 1 }], requestTimeoutMs: 60_000 });
  if (!endpoint.ok) throw new Error(endpoint.error.message);
  const backends = [{ name: "b", maxConcurrentQueries: 1, maxQueuedRequests: 10, replicas: [] }];
  router.apply({ epoch: "e", sequence: 1n, revision: 1n, endpoints: [endpoint.value], backends });
  const state = { draining: false };
  const sockets = new WebSockets();
  const server = createBridgeServer({ router, intake: new Intake(router), state, sockets, ahead: new ReadAhead(), limits: LIMITS });
  open.push({ server, router });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { router, state, sockets, ask: () => raw(port, `GET / HTTP/1.1\r\n${UPGRADE}`), raw: (text: string) => raw(port, text) };
}

const UPGRADE = [
  "host: a",
  "upgrade: websocket",
  "connection: upgrade",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");

function raw(port: number, text: string): Socket {
  const socket = connect({ host: "127.0.0.1", port });
  callers.push(socket);
  socket.on("error", () => undefined);
  socket.write(text);
  return socket;
}

async function answerOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (piece: Buffer) => (text += piece.toString("latin1")));
  await once(socket, "close");
  return text;
}

/** Resolves when it holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setImmediate(done));
}

test("one beyond websocketConnections is refused, until another one ends", async () => {
  const { router, sockets, ask: another } = await bridge();
  sockets.count = LIMITS.websocketConnections - 1;
  const last = another();
  await until(() => router.inFlight === 1);
  const answer = await answerOf(another());
  expect(answer).toMatch(/^HTTP\/1\.1 503 .*retry-after: 1\r\n.*"code":"websocket_limit","limit":"websocketConnections"/s);
  last.destroy();
  await until(() => sockets.count === LIMITS.websocketConnections - 1);
  another();
  await until(() => router.inFlight === 1);
});

test("a bridge that drains takes no new ones", async () => {
  const { state, ask: another } = await bridge();
  state.draining = true;
  expect(await answerOf(another())).toMatch(/^HTTP\/1\.1 503 .*"code":"draining"/s);
});

test.each([
  ["breaks off", (socket: Socket) => socket.destroy()],
  ["resets", (socket: Socket) => socket.resetAndDestroy()],
  ["closes its half", (socket: Socket) => socket.end()],
])("a caller that %s while its request waits leaves nothing behind", async (_how, leave) => {
  const { router, sockets, ask: another } = await bridge();
  const socket = another();
  await until(() => router.inFlight === 1);
  leave(socket);
  await until(() => router.inFlight === 0 && sockets.count === 0);
});

test("a caller that sends before it is accepted is held back after a little, and its request waits on", async () => {
  const { router, ask: another } = await bridge();
  const socket = another();
  await until(() => router.inFlight === 1);
  const much = Buffer.alloc(16 * 1024 * 1024);
  let all = false;
  socket.write(much, () => {
    all = true;
  });
  await new Promise((done) => setTimeout(done, 200));
  expect([all, router.inFlight]).toEqual([false, 1]);
  socket.resetAndDestroy();
  await once(socket, "close");
});

test.each(["GET / HTTP/1.1", "CONNECT a:1 HTTP/1.1"])(
  "%s with an upgrade right behind another request ends its connection and nothing else",
  async (line) => {
    const { router, ask: another, raw } = await bridge();
    // Answered at once, so that its answer is on its way when the next request is looked at.
    for (const first of ["OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", "GET /-/healthz HTTP/1.1\r\nhost: a\r\n\r\n"]) {
      for (let before = 1; before <= 3; before++) {
        const socket = raw(`${first.repeat(before)}${line}\r\n${UPGRADE}`);
        socket.resume();
        await once(socket, "close");
      }
    }
    another();
    await until(() => router.inFlight === 1);
  },
);

// A bridge's listeners in the test's own process, with short times, and callers who do with a connection what they like.

import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { type Socket, connect } from "node:net";
import { Router } from "@headgate/client/data-plane";
import { LIMITS, parseEndpointSpec } from "@headgate/core";
import { Intake } from "../intake.ts";
import { Listeners } from "../listeners.ts";
import { ReadAhead } from "../read-ahead.ts";
import type { BridgeLimits } from "../serve.ts";
import { WebSockets } from "../websockets.ts";

/** A bound against hanging, never a claim about speed. */
const PATIENCE_MS = 20_000;
const opened: (() => void)[] = [];

/** Has something done at the end of the test. */
export function atEnd(close: () => void): void {
  opened.push(close);
}

/** Closes all that was opened. For afterEach(). */
export function closeAll(): void {
  for (const close of opened.splice(0)) close();
}

/** Listens with limits of its own. Its table has one endpoint, whose backend has no replica, and `routes` further ones. */
export async function listen(limits: Partial<BridgeLimits> = {}, routes = 0, router = new Router()): Promise<Listeners["ports"]> {
  const names = ["post", ...Array.from({ length: routes }, (_, index) => `endpoint-with-a-rather-long-name-${index}`)];
  const endpoints = names.map((name) => {
    const traffic = [{ backend: "none", weight: 1 }];
    const spec = parseEndpointSpec({ name, route: `/${name}`, methods: ["POST"], traffic, shadows: [] });
    if (!spec.ok) throw new Error(spec.error.message);
    return spec.value;
  });
  const backends = [{ name: "none", maxConcurrentQueries: 1, maxQueuedRequests: 10, replicas: [] }];
  router.apply({ epoch: "e", sequence: 1n, revision: 1n, endpoints, backends });
  const listeners = await Listeners.make(
    { host: "127.0.0.1", httpPort: 0, h2cPort: 0, httpsPort: null, certificate: { cert: "", key: "" } },
    {
      router,
      intake: new Intake(router),
      state: { draining: false },
      sockets: new WebSockets(),
      ahead: new ReadAhead(),
      limits: { ...LIMITS, headerTimeoutMs: 200, ...limits },
    },
    () => undefined,
  );
  await listeners.listen();
  atEnd(() => {
    router.close();
    listeners.close();
    void listeners.drain();
  });
  return listeners.ports;
}

/** Opens a connection. `text` is all that came on it. */
export async function dial(
  port: number,
): Promise<{ readonly socket: Socket; readonly text: () => string; readonly closed: Promise<unknown> }> {
  const socket = connect(port, "127.0.0.1");
  atEnd(() => socket.destroy());
  let text = "";
  socket.on("data", (piece) => (text += piece.toString("latin1")));
  socket.on("error", () => undefined);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, text: () => text, closed };
}

/** Opens a connection that speaks HTTP/2. */
export async function dialHttp2(port: number): Promise<{ readonly session: ClientHttp2Session; readonly closed: Promise<unknown> }> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  atEnd(() => session.destroy());
  session.on("error", () => undefined);
  const closed = new Promise((resolve) => session.once("close", resolve));
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  return { session, closed };
}

/** Resolves when it is reached. */
export const until = async (reached: () => boolean): Promise<void> => {
  const end = Date.now() + PATIENCE_MS;
  while (!reached()) {
    if (Date.now() > end) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

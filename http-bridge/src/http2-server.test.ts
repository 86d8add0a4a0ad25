// Callers of HTTP/2 that announce the end with a GOAWAY while a request of theirs still runs.
import { afterEach, expect, test } from "@jest/globals";
import { Router } from "@headgate/client/data-plane";
import { FRAME, PREFACE, frame, headers, request, section } from "../../test/support/http2-frames.ts";
import { closeAll, dial, dialHttp2, listen, until } from "./testing/listening.ts";

afterEach(closeAll);

const OPEN = Buffer.concat([
  Buffer.from(PREFACE),
  frame(FRAME.settings, 0, 0),
  headers(1, section(...request("/post", "POST"), "content-length", "100000"), false),
  frame(FRAME.goaway, 0, 0, Buffer.alloc(8)),
]);

test.each([
  ["a ping that is too short", frame(FRAME.ping, 0, 0, Buffer.alloc(7))],
  ["settings that are too long", frame(FRAME.settings, 0, 0, Buffer.alloc(7))],
  ["a window that grows by nothing", frame(FRAME.window, 0, 0, Buffer.alloc(4))],
])("one that breaks the protocol behind it with %s loses its connection, and its request ends", async (_what, broken) => {
  const router = new Router();
  const { h2cPort } = await listen({ sendTimeoutMs: 100 }, 0, router);
  const { socket, closed } = await dial(h2cPort);
  socket.write(OPEN);
  await until(() => router.inFlight === 1);
  socket.write(broken);
  await closed;
  await until(() => router.inFlight === 0);
});

test("one that waits for its answer gets it", async () => {
  const router = new Router();
  const { h2cPort } = await listen({ sendTimeoutMs: 100 }, 0, router);
  const { session } = await dialHttp2(h2cPort);
  const stream = session.request({ ":method": "POST", ":path": "/post" });
  const status = new Promise((resolve) => stream.once("response", (fields) => resolve(fields[":status"])));
  stream.end();
  await until(() => router.inFlight === 1);
  session.goaway();
  // The endpoint's backend has no replica, and a request waits for one for a while.
  expect(await status).toBe(503);
});

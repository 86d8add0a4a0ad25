// A WebSocket whose caller has closed while its handler still reads: the credit that comes back for what is read ends nothing.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { LIMITS, parseEndpointSpec } from "@headgate/core";
import { ResponseFrame, SessionRequest, SessionResponse, WebSocketPart } from "@headgate/proto/replica";
import { serveStreams } from "@headgate/rpc/stream-server";
import { Call } from "./call.ts";
import { MessageLane } from "./message-lane.ts";
import { Router } from "./router.ts";

test("a handler that reads on behind its caller's close is let finish", async () => {
  const folder = await mkdtemp(join(tmpdir(), "headgate-credit-"));
  const seen: string[] = [];
  const server = await serveStreams(`unix:${join(folder, "a")}`, {
    "/headgate.v1.ReplicaService/Session": (stream) => {
      const say = (streamId: number, frame: Parameters<typeof ResponseFrame.fromPartial>[0]): void => {
        const frames = [ResponseFrame.fromPartial({ streamId, ...frame })];
        stream.send(SessionResponse.encode(SessionResponse.fromPartial({ frames })).finish());
      };
      return {
        message: (message) => {
          for (const { streamId, head, cancel, part } of SessionRequest.decode(message).frames) {
            if (head !== undefined) say(streamId, { head: { status: 101 } });
            if (cancel) seen.push("cancel");
            if (part !== WebSocketPart.CLOSE) continue;
            seen.push("close");
            say(streamId, { credit: LIMITS.bodyChunkBytes });
            say(streamId, { credit: LIMITS.bodyChunkBytes, end: false });
            setTimeout(() => say(streamId, { end: true }), 20);
          }
        },
        halfClosed: () => stream.end(null),
        closed: () => undefined,
      };
    },
  });
  const router = new Router();
  try {
    const endpoint = parseEndpointSpec({ name: "e", route: "/", traffic: [{ backend: "b", weight: 1 }] });
    if (!endpoint.ok) throw new Error(endpoint.error.message);
    const replicas = [{ id: "a", address: `unix:${join(folder, "a")}`, transport: "direct" as const }];
    const backend = { name: "b", maxConcurrentQueries: 10, maxQueuedRequests: 10, replicas };
    router.apply({ epoch: "e", sequence: 1n, revision: 1n, endpoints: [endpoint.value], backends: [backend] });
    const live = router.table?.endpoint("e");
    if (live === undefined) throw new Error("no endpoint");
    const ended = new Promise<string>((resolve) => {
      const call: Call = new Call("e", "GET", "/", [], "r", performance.now() + 60_000, {
        head: () => {
          const message = Buffer.alloc(LIMITS.bodyChunkBytes);
          for (let i = 0; i < 3; i++) router.giveMessage(call, WebSocketPart.BINARY, message);
          router.giveMessage(call, WebSocketPart.CLOSE, Buffer.alloc(0));
          return true;
        },
        body: () => {
          resolve("ended");
          return true;
        },
        release: () => true,
        fault: ({ code }) => resolve(code),
        writable: () => undefined,
      });
      call.lane = new MessageLane({ part: () => undefined });
      call.bodyEnded = false;
      router.dispatch(live, call, null);
    });
    expect(await ended).toBe("ended");
    expect(seen).toEqual(["close"]);
  } finally {
    router.close();
    server.destroy();
    await rm(folder, { recursive: true, force: true });
  }
});

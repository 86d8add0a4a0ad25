// WebSockets that end from behind: roll-outs, replicas that die, an instance that shuts down.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { closeFrame, readFrames } from "../support/frames.ts";
import { openSocket, startInstance, waitFor } from "../support/instance.ts";
import { handshakeHead, openWebSocket } from "../support/websocket.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

const open = (path: string) => openWebSocket(serve.httpUrl, path);

async function echo(request: HandlerRequest): Promise<void> {
  const socket = request.acceptWebSocket();
  for await (const message of socket) await socket.send(message);
}

test("a roll-out leaves open WebSockets with the old version until drainTimeoutMs, then closes them with 1012", async () => {
  const version = (name: string): string => `async (request) => {
    const socket = request.acceptWebSocket();
    for await (const message of socket) await socket.send("${name} " + message);
  }`;
  await writeFile(join(instance.root, "v1.mjs"), `export const handle = ${version("old")}`);
  await writeFile(join(instance.root, "v2.mjs"), `export const handle = ${version("new")}`);
  await serve.createBackend({ name: "rolls", handler: "./v1.mjs#handle", config: { drainTimeoutMs: 1_500 } });
  await serve.createEndpoint("rolls", { backend: "rolls", route: "/rolls" });
  const old = await open("/rolls");
  await serve.updateBackend("rolls", { handler: "./v2.mjs#handle" });
  const fresh = await open("/rolls");
  fresh.ws.send("x");
  expect(await fresh.next()).toBe("new x");
  old.ws.send("x");
  expect(await old.next()).toBe("old x");
  expect(await old.closed).toEqual({ code: 1012, reason: "the service restarts" });
  fresh.ws.send("y");
  expect(await fresh.next()).toBe("new y");
  fresh.ws.close();
});

test("a replica that dies closes its WebSockets with 1012, those of the others stay", async () => {
  await serve.createBackend({
    name: "dies",
    handler: async (request: HandlerRequest) => {
      const socket = request.acceptWebSocket();
      for await (const message of socket) {
        if (message === "die") process.kill(process.pid, "SIGKILL");
        await socket.send(`${process.pid}`);
      }
    },
    config: { numReplicas: 2 },
  });
  await serve.createEndpoint("dies", { backend: "dies", route: "/dies" });
  const talks = await Promise.all(Array.from({ length: 8 }, () => open("/dies")));
  const pids = await Promise.all(
    talks.map((talk) => {
      talk.ws.send("who");
      return talk.next();
    }),
  );
  expect(new Set(pids).size).toBe(2);
  talks[0]?.ws.send("die");
  for (const [index, talk] of talks.entries()) {
    if (pids[index] === pids[0]) expect(await talk.closed).toEqual({ code: 1012, reason: "replica_lost" });
    else {
      talk.ws.send("who");
      expect(await talk.next()).toBe(pids[index]);
    }
  }
});

test("an instance that shuts down closes a WebSocket on which nothing passes with 1001", async () => {
  await using other = await startInstance();
  await other.serve.createBackend("echo", echo);
  await other.serve.createEndpoint("echo", { backend: "echo", route: "/echo" });
  const socket = await openSocket(other.serve.httpUrl);
  const seen: Buffer[] = [];
  socket.on("data", (piece: Buffer) => seen.push(piece));
  socket.write(handshakeHead("/echo"));
  await waitFor("the handshake", () => Buffer.concat(seen).includes("\r\n\r\n"));
  const down = other.serve.shutdown();
  const frames = await waitFor("the close", () => {
    const all = Buffer.concat(seen);
    const read = readFrames(all.subarray(all.indexOf("\r\n\r\n") + 4));
    return read.length > 0 ? read : null;
  });
  expect([frames[0]?.opcode, frames[0]?.payload.readUInt16BE(0)]).toEqual([8, 1001]);
  socket.write(closeFrame(1001));
  await new Promise((resolve) => socket.once("close", resolve));
  await down;
});

// The short way for pieces beside the general one: whatever way each takes, a caller gets them in the order in which they were given.
import { once } from "node:events";
import { type IncomingMessage, type Server, ServerResponse, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { Backlog } from "./backlog.ts";
import { PieceWriter } from "./piece.ts";
import { SMALL_BYTES } from "./responder.ts";

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A response whose caller has not begun to read, and the caller's side of it. */
async function stalled(): Promise<{ readonly res: ServerResponse; readonly caller: IncomingMessage }> {
  const made = createServer();
  server = made.listen(0, "127.0.0.1");
  await once(made, "listening");
  const { port } = made.address() as AddressInfo;
  const asked = get({ port, host: "127.0.0.1", agent: false });
  const [, res] = await once(made, "request");
  if (!(res instanceof ServerResponse)) throw new Error("no response");
  res.writeHead(200);
  res.flushHeaders();
  const [caller] = await once(asked, "response");
  caller.pause();
  return { res, caller };
}

/** Sends until the system takes no more. */
async function fill({ socket }: ServerResponse, send: () => void): Promise<void> {
  for (let turns = 0; socket?.writableLength === 0 && turns < 100_000; turns++) {
    send();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test.each([1, 200_000])("the end of a backlog with a last piece of %d bytes is told when the caller reads", async (bytes) => {
  const { res, caller } = await stalled();
  const { socket } = res;
  if (socket === null) throw new Error("no connection");
  const pieces = new PieceWriter(res, () => undefined);
  // So little waits in the end that the connection is not full.
  await fill(res, () => {
    pieces.send(Buffer.alloc(3_000));
    pieces.flush();
  });
  const backlog = new Backlog();
  expect(backlog.write(res, Buffer.alloc(bytes))).toBe("queued");
  const told = new Promise<void>((resolve) => backlog.onDrain(socket, resolve));
  caller.resume();
  await told;
});

test.each<readonly [string, readonly number[]]>([
  ["a large piece, then a small one", [20_000, 5]],
  ["small, large, small, large", [5, 20_000, 5, 20_000]],
  ["many of each", [5, 20_000, 5, 5, SMALL_BYTES - 1, SMALL_BYTES, 1, 30_000, 2, 30_000, 3]],
])("%s, in one turn of a connection that takes nothing", async (_, sizes) => {
  const { res, caller } = await stalled();
  const backlog = new Backlog();
  const pieces = new PieceWriter(res, backlog.taken);
  let want = "";
  let next = 0;
  const send = (size: number): void => {
    const piece = Buffer.alloc(size, 97 + (next++ % 26));
    want += piece.toString();
    if (pieces.send(piece) === null) backlog.write(res, piece);
  };
  // What the system takes of it first, then a little that waits here.
  await fill(res, () => {
    send(60_000);
    pieces.flush();
  });
  for (let turn = 0; turn < 3; turn++) {
    for (const size of sizes) send(size);
    pieces.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  res.end();
  let got = "";
  for await (const piece of caller) got += String(piece);
  expect(got === want).toBe(true);
});

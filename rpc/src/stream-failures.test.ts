// How streams end when something is wrong: each call is told exactly once, and neither side falls over.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { type Server, connect as netConnect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HeadgateError } from "@headgate/core";
import { callUnary, connectTo, openStream } from "@headgate/rpc/stream";
import { type StreamServer, serveStreams } from "@headgate/rpc/stream-server";

const SILENT = "/test.Silent/Call";
const FLOOD = "/test.Silent/Flood";
/** More than the window holds, so that some of it is still to be sent when the server ends. */
const FLOOD_MESSAGES = 24;
let folder = "";
let address = "";
let server: StreamServer | null = null;
let closedCalls = 0;
let openCalls = 0;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-stream-"));
  address = `unix:${join(folder, "s.sock")}`;
  closedCalls = 0;
  openCalls = 0;
  server = await serveStreams(address, {
    [SILENT]: (call) => {
      openCalls++;
      call.send(Buffer.from("hello"));
      return { message: () => undefined, halfClosed: () => undefined, closed: () => closedCalls++ };
    },
    [FLOOD]: (call) => {
      openCalls++;
      for (let i = 0; i < FLOOD_MESSAGES; i++) call.send(Buffer.alloc(1024 * 1024, i));
      return { message: () => undefined, halfClosed: () => undefined, closed: () => closedCalls++ };
    },
  });
});
afterEach(() => {
  server?.destroy();
  rmSync(folder, { recursive: true, force: true });
});

/** Waits until something holds; the test's own time limit ends a wait in vain. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Opens a call; resolves when its first message came or it ended. */
function opened(to = address): { readonly ends: (HeadgateError | null)[]; readonly close: () => void; readonly begun: Promise<void> } {
  const ends: (HeadgateError | null)[] = [];
  let close = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    const stream = openStream(
      to,
      { path: SILENT },
      {
        message: () => resolve(),
        end: (error) => {
          ends.push(error);
          resolve();
        },
      },
    );
    close = stream.close;
  });
  return { ends, close, begun };
}

test("where nobody listens the call ends with a fault that names the address", async () => {
  const call = opened(`unix:${join(folder, "nobody.sock")}`);
  await call.begun;
  expect(call.ends).toEqual([expect.objectContaining({ code: "replica_lost", message: expect.stringContaining("nobody.sock") })]);
});

test("a server that goes away ends every call on it once, at once", async () => {
  const calls = [opened(), opened()];
  await Promise.all(calls.map((call) => call.begun));
  server?.destroy();
  await until(() => calls.every((call) => call.ends.length > 0));
  expect(calls.map((call) => call.ends.map((error) => error?.code))).toEqual([["replica_lost"], ["replica_lost"]]);
});

test("a server that finishes ends its calls as done", async () => {
  const call = opened();
  await call.begun;
  await server?.finish(5_000);
  await until(() => call.ends.length > 0);
  expect(call.ends).toEqual([null]);
});

test("a connection that has said nothing yet ends with the server, and does not hold it up", async () => {
  const ends = [netConnect(address.slice(5)), netConnect(address.slice(5))].map(
    (socket) => new Promise<void>((resolve) => socket.on("error", () => undefined).once("close", () => resolve())),
  );
  const call = opened();
  await call.begun;
  await server?.finish(60_000);
  await Promise.all(ends);
  expect(call.ends).toEqual([null]);
});

test("a server that finishes sends out all that was said before", async () => {
  let messages = 0;
  const end = new Promise<HeadgateError | null>((resolve) => {
    openStream(address, { path: FLOOD }, { message: () => messages++, end: resolve });
  });
  await until(() => openCalls > 0);
  await server?.finish(5_000);
  expect(await end).toBeNull();
  expect(messages).toBe(FLOOD_MESSAGES);
});

test("a call on a connection that is gone ends with a fault", async () => {
  let gone = false;
  const connection = connectTo(
    address,
    () => undefined,
    () => {
      gone = true;
    },
  );
  connection.close();
  await until(() => gone);
  const ends: (HeadgateError | null)[] = [];
  const call = connection.open({ path: SILENT }, { message: () => undefined, end: (error) => ends.push(error) });
  expect([call.send(Buffer.from("x")), ends]).toEqual([false, []]);
  await until(() => ends.length > 0);
  expect(ends).toEqual([expect.objectContaining({ code: "replica_lost" })]);
});

test("a caller that closes is noticed once by the server", async () => {
  const call = opened();
  await call.begun;
  call.close();
  await until(() => closedCalls > 0);
  expect([openCalls, closedCalls]).toEqual([1, 1]);
});

test("an aborted unary call rejects at once and frees the server", async () => {
  const connection = connectTo(
    address,
    () => undefined,
    () => undefined,
  );
  const controller = new AbortController();
  const call = callUnary(connection, { path: SILENT }, Buffer.from("x"), controller.signal);
  await until(() => openCalls > 0);
  controller.abort();
  await expect(call).rejects.toMatchObject({ code: "cancelled" });
  await until(() => closedCalls > 0);
  await expect(callUnary(connection, { path: SILENT }, Buffer.from("x"), AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
  connection.close();
});

test("a reader that throws ends its call with that error", async () => {
  const error = await new Promise<HeadgateError | null>((resolve) => {
    openStream(
      address,
      { path: SILENT },
      {
        message: () => {
          throw new Error("not what was agreed");
        },
        end: resolve,
      },
    );
  });
  expect(error).toMatchObject({ code: "replica_protocol", message: expect.stringContaining("not what was agreed") });
});

test("HTTP/2 that is not gRPC gets 415, and no method sees it", async () => {
  const session = connectHttp2("http://localhost", { createConnection: () => netConnect(address.slice(5)) });
  const stream = session.request({ ":method": "POST", ":path": SILENT, "content-type": "application/json" });
  const status = await new Promise((resolve) => stream.once("response", (headers) => resolve(headers[":status"])));
  expect([status, openCalls]).toEqual([415, 0]);
  session.destroy();
});

test("a server that is not HTTP/2 ends the call with a fault", async () => {
  const path = join(folder, "other.sock");
  const other: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume();
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  await new Promise<void>((resolve) => other.listen(path, resolve));
  const call = opened(`unix:${path}`);
  await call.begun;
  expect(call.ends).toEqual([expect.objectContaining({ code: "replica_lost" })]);
  await new Promise((resolve) => other.close(resolve));
});

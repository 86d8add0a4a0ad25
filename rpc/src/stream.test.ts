// Our gRPC on node:http2 against grpc-js, each as client of the other, over a unix socket.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { type HeadgateError, fault } from "@headgate/core";
import { callUnary, connectTo, openStream } from "@headgate/rpc/stream";
import { serveStreams } from "@headgate/rpc/stream-server";
import { prefixed } from "./splitter.ts";

const UNARY = "/test.Echo/Unary";
const BIDI = "/test.Echo/Bidi";
const same = (bytes: Buffer): Buffer => bytes;
const method = (path: string, streams: boolean) => ({
  path,
  requestStream: streams,
  responseStream: streams,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const SERVICE = { unary: method(UNARY, false), bidi: method(BIDI, true) };
const EchoClient = grpc.makeClientConstructor(SERVICE, "Echo");
/** Sizes around the edges of frames, windows and slabs. */
const MESSAGES = [0, 1, 16_383, 16_384, 70_000, 1_000_000].map((size, i) => Buffer.alloc(size, i + 1));
const BIG = Buffer.alloc(4 * 1024 * 1024, 9);

let folder = "";
let address = "";
const closing: (() => void)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-stream-"));
  address = `unix:${join(folder, "s.sock")}`;
});
afterEach(() => {
  for (const close of closing.splice(0).reverse()) close();
  rmSync(folder, { recursive: true, force: true });
});

/** Our server: Unary doubles a message's bytes or fails by its word, Bidi echoes. */
async function ourServer(onClosed: () => void = () => undefined): Promise<void> {
  const server = await serveStreams(address, {
    [UNARY]: (call) => {
      let got: Buffer = Buffer.alloc(0);
      return {
        message: (message) => {
          if (message.toString("latin1", 0, 5) === "throw") throw new Error("broken");
          got = Buffer.from(message);
        },
        halfClosed: () => {
          if (got.toString("latin1", 0, 4) === "fail") return call.end(fault("queue_full", "voll 100 % €\ud800", { limit: "7" }, 250));
          call.send(got);
          call.end(null);
        },
        closed: onClosed,
      };
    },
    [BIDI]: (call) => ({
      message: (message) => void call.send(message),
      halfClosed: () => call.end(null),
      closed: onClosed,
    }),
  });
  closing.push(() => server.destroy());
}

function theirClient(): InstanceType<typeof EchoClient> {
  const client = new EchoClient(address, grpc.credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
  closing.push(() => client.close());
  return client;
}

function theirUnary(message: Buffer, path = UNARY): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    theirClient().makeUnaryRequest(path, same, same, message, (error: grpc.ServiceError | null, reply?: Buffer) => {
      if (error !== null) reject(error);
      else resolve(reply ?? Buffer.alloc(0));
    });
  });
}

test("grpc-js calls our server: unary, small and at the message limit", async () => {
  await ourServer();
  for (const message of [...MESSAGES, BIG]) expect((await theirUnary(message)).equals(message)).toBe(true);
});

test("grpc-js streams with our server: every message comes back in order", async () => {
  await ourServer();
  const call = theirClient().makeBidiStreamRequest(BIDI, same, same);
  const back: Buffer[] = [];
  for (const message of MESSAGES) call.write(message);
  call.end();
  for await (const message of call) back.push(message as Buffer);
  expect(back.length).toBe(MESSAGES.length);
  for (const [i, message] of back.entries()) expect(message.equals(MESSAGES[i] ?? Buffer.alloc(0))).toBe(true);
});

test("grpc-js reads our server's faults: status, message and details", async () => {
  await ourServer();
  const error = await theirUnary(Buffer.from("fail")).catch((thrown: grpc.ServiceError) => thrown);
  expect(error).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: "voll 100 % €\ufffd" });
  expect((error as grpc.ServiceError).metadata.get("headgate-fault-bin")).toHaveLength(1);
  await expect(theirUnary(Buffer.from("throw"))).rejects.toMatchObject({ code: grpc.status.INTERNAL });
  await expect(theirUnary(Buffer.from("x"), "/test.Echo/Missing")).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  await expect(theirUnary(Buffer.from("x"), "/__proto__")).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  await expect(theirUnary(Buffer.alloc(BIG.length + 1))).rejects.toMatchObject({ details: expect.stringContaining("grpcMessageBytes") });
});

/** grpc-js' server of the same service; Unary fails where the message says so. */
async function theirServer(): Promise<void> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  server.addService(SERVICE, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      if (String(call.metadata.get("authorization")[0]) !== "Bearer t0k3n")
        reply({ code: grpc.status.UNAUTHENTICATED, details: "who? 100 % €" });
      else reply(null, call.request);
    },
    bidi: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end());
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
  });
  closing.push(() => server.forceShutdown());
}

function ourConnection(): ReturnType<typeof connectTo> {
  const connection = connectTo(
    address,
    () => undefined,
    () => undefined,
  );
  closing.push(() => connection.close());
  return connection;
}

test("our client calls grpc-js' server, with its token; several calls on one connection", async () => {
  await theirServer();
  const connection = ourConnection();
  const { signal } = new AbortController();
  const replies = await Promise.all(
    [...MESSAGES, BIG].map((message) => callUnary(connection, { path: UNARY, token: "t0k3n" }, message, signal)),
  );
  expect(replies.map((reply, i) => reply.equals([...MESSAGES, BIG][i] ?? Buffer.alloc(0)))).toEqual(replies.map(() => true));
});

test("our client reads grpc-js' errors, and tells an unknown method", async () => {
  await theirServer();
  const { signal } = new AbortController();
  await expect(callUnary(ourConnection(), { path: UNARY }, Buffer.from("x"), signal)).rejects.toMatchObject({
    message: "who? 100 % €",
    details: { grpcStatus: "16" },
  });
  await expect(callUnary(ourConnection(), { path: "/test.Echo/No" }, Buffer.from("x"), signal)).rejects.toMatchObject({
    details: { grpcStatus: "12" },
  });
});

/** Sends messages on our stream and resolves to what came back and how it ended. */
function exchange(messages: readonly Uint8Array[]): Promise<{ readonly back: Buffer[]; readonly error: HeadgateError | null }> {
  return new Promise((resolve) => {
    const back: Buffer[] = [];
    const stream = openStream(
      address,
      { path: BIDI },
      { message: (message) => void back.push(message), end: (error) => resolve({ back, error }) },
    );
    for (const message of messages) stream.send(message);
    stream.finish();
  });
}

test.each([
  ["grpc-js' server", theirServer],
  ["our own server", ourServer],
])("our client streams with %s: every message comes back in order", async (_name, serve) => {
  await serve();
  const { back, error } = await exchange(MESSAGES);
  expect(error).toBeNull();
  expect(Buffer.concat(back).equals(Buffer.concat(MESSAGES))).toBe(true);
});

test("messages that were framed together arrive one by one", async () => {
  await ourServer();
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    const stream = openStream(address, { path: BIDI }, { message: (message) => void seen.push(message.toString()), end: () => resolve() });
    stream.sendPrefixed(Buffer.concat(["a", "bc", ""].map((text) => prefixed(Buffer.from(text)))));
    stream.finish();
  });
  expect(seen).toEqual(["a", "bc", ""]);
});

test("our client gets our server's fault whole", async () => {
  await ourServer();
  const { signal } = new AbortController();
  await expect(callUnary(ourConnection(), { path: UNARY }, Buffer.from("fail"), signal)).rejects.toMatchObject({
    code: "queue_full",
    details: { limit: "7" },
    retryAfterMs: 250,
  });
});

// A replica that shares no code with Headgate's own: it registers itself as a program in any language would, and hands each request
// to a behaviour that answers it with bytes of its choosing. For tests of what happens when a replica breaks the contract.

import { readFileSync, rmSync } from "node:fs";
import { type ServerHttp2Stream, createServer } from "node:http2";
import { type Socket, createServer as createSocketServer } from "node:net";
import { AttachRequest, AttachResponse, Boot } from "@headgate/proto/attachment";
import { HandleRequest, type RequestFrame, type RequestHead, SessionRequest } from "@headgate/proto/replica";
import { openStream } from "@headgate/rpc/stream";

/** What a program serves: Session over HTTP/2, the same without HTTP/2 around it, or Handle. */
export type Serves = "session" | "direct" | "unary";

/** The way back of a call. */
export interface Out {
  readonly destroyed: boolean;
  write(bytes: Uint8Array): boolean;
  end(): unknown;
  /** Ends it with an error code of HTTP/2, or just so where there is no HTTP/2. */
  close(code: number): void;
}

/** One request, and all ways to answer it. */
export interface Asked {
  /** Its number in the session; 0 for Handle. */
  readonly id: number;
  readonly head: RequestHead;
  readonly stream: Out;
  readonly connection: { destroy(): void; goaway(code: number): void };
  /** Resolves when the bridge cancels it. */
  readonly cancelled: Promise<void>;
  /** Told of its further frames, where it is set. */
  heard: ((frame: RequestFrame) => void) | null;
}

/** A gRPC message: its prefix and its bytes. */
export function framed(message: Uint8Array, flag = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Cuts a stream of bytes into gRPC messages. */
function cutter(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
      const end = 5 + held.readUInt32BE(1);
      onMessage(held.subarray(5, end));
      held = held.subarray(end);
    }
  };
}

type Behave = (asked: Asked) => void;

/** Reads one call: each request of a session, and each Handle, goes to `behave`. Pings and the like are passed over. */
function readCall(isSession: boolean, stream: Out, connection: Asked["connection"], behave: Behave) {
  const cancels = new Map<number, () => void>();
  const open = new Map<number, Asked>();
  const ask = (id: number, head: RequestHead): void => {
    const cancelled = new Promise<void>((resolve) => cancels.set(id, resolve));
    const asked: Asked = { id, head, stream, connection, cancelled, heard: null };
    open.set(id, asked);
    behave(asked);
  };
  const cut = cutter((message) => {
    if (!isSession) {
      const { head } = HandleRequest.decode(message);
      if (head !== undefined) ask(0, head);
      return;
    }
    for (const frame of SessionRequest.decode(message).frames) {
      const { streamId, head, cancel } = frame;
      if (head !== undefined) ask(streamId, head);
      else open.get(streamId)?.heard?.(frame);
      if (cancel) cancels.get(streamId)?.();
    }
  });
  return { cut, closed: () => cancels.get(0)?.() };
}

/** Serves ReplicaService over HTTP/2. */
function serve(path: string, behave: Behave): Promise<void> {
  const server = createServer();
  server.on("sessionError", () => undefined);
  server.on("stream", (generic, headers) => {
    // A server's streams are ServerHttp2Streams; the event's type does not say so.
    const stream = generic as ServerHttp2Stream;
    const { session: connection } = stream;
    if (connection === undefined) return;
    stream.on("error", () => undefined);
    connection.on("error", () => undefined);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const call = readCall(headers[":path"] === "/headgate.v1.ReplicaService/Session", stream, connection, behave);
    stream.on("data", call.cut);
    stream.on("close", call.closed);
  });
  return new Promise((resolve) => server.listen(path, resolve));
}

/** Serves Session without HTTP/2: one line that names the method, then messages. */
function serveDirect(path: string, behave: Behave): Promise<void> {
  const server = createSocketServer((socket: Socket) => {
    socket.on("error", () => undefined);
    const destroy = (): void => void socket.destroy();
    const stream: Out = {
      get destroyed() {
        return socket.destroyed;
      },
      write: (bytes) => socket.write(bytes),
      end: () => socket.end(),
      close: destroy,
    };
    const { cut } = readCall(true, stream, { destroy, goaway: destroy }, behave);
    let line: Buffer | null = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      if (line === null) {
        cut(chunk);
        return;
      }
      line = Buffer.concat([line, chunk]);
      const end = line.indexOf("\n");
      if (end < 0) return;
      const rest = line.subarray(end + 1);
      line = null;
      cut(rest);
    });
  });
  return new Promise((resolve) => server.listen(path, resolve));
}

/** Joins the instance whose boot stands at descriptor 3, and serves. */
export async function joinAsReplica(serves: Serves, behave: Behave): Promise<void> {
  const boot = Boot.fromJSON(JSON.parse(readFileSync(3, "utf8")));
  const path = boot.listenAddress.slice("unix:".length);
  rmSync(path, { force: true });
  await (serves === "direct" ? serveDirect(path, behave) : serve(path, behave));
  const say = (kind: AttachRequest["kind"]): void => void attach.send(AttachRequest.encode({ kind }).finish());
  const attach = openStream(
    boot.controlAddress,
    { path: "/headgate.v1.AttachmentService/Attach" },
    {
      open: () => undefined,
      message: (message) => {
        const { kind } = AttachResponse.decode(message);
        if (kind?.$case === "registered") {
          const ready = { session: serves !== "unary", direct: serves === "direct", acceptsBatches: false, methods: ["handle"] };
          say({ $case: "ready", value: ready });
        } else if (kind?.$case === "configure") say({ $case: "configured", value: { number: kind.value.number } });
        else if (kind?.$case === "drain") say({ $case: "drained", value: {} });
        else if (kind?.$case === "stop") process.exit(0);
      },
      // It does not outlive its controller.
      end: () => process.exit(0),
    },
  );
  say({ $case: "register", value: { replicaId: boot.replicaId, joinToken: boot.joinToken, pid: process.pid } });
  setInterval(() => say({ $case: "load", value: { inFlight: 0, completed: 0n, memoryBytes: 0n } }), 1_000);
}

// The server's side of stream.ts: gRPC methods straight on node:http2, for replicas. Anything that is not gRPC is refused.

import { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream, createServer as createHttp2Server } from "node:http2";
import { type Server, type Socket, createServer } from "node:net";
import { FAULTS, type Fault, GrpcStatus, HeadgateError, LIMITS, fault } from "@headgate/core";
import { Fault as FaultMessage } from "@headgate/proto/fault";
import { DIRECT_LINE_BYTES, DIRECT_PREFACE, DirectCall } from "./direct.ts";
import { faultToProto } from "./fault-codec.ts";
import { MessageSplitter, prefixed } from "./splitter.ts";
import { STREAM_WINDOW_BYTES } from "./stream.ts";
import { parseTimeout } from "./timeout.ts";

/** A call as its method sees it. */
export interface ServerCall {
  /** What the caller gives the call, by its header grpc-timeout, in milliseconds; 0: it has no deadline. */
  readonly timeoutMs: number;
  /** Sends a message. */
  send(message: Uint8Array): boolean;
  /** Sends bytes that are messages with their prefixes already, and `behind` right after them. */
  sendPrefixed(bytes: Uint8Array, behind?: readonly Uint8Array[]): boolean;
  /** What is sent from here on leaves together with uncork(), in the fewest system calls. */
  cork(): void;
  uncork(): void;
  /** Whether more waits to be sent than the caller takes; drained() is told when it does not any more. */
  readonly backedUp: boolean;
  /** Ends the call: with status OK, or with a fault. */
  end(error: Fault | null): void;
}

/** What a method does with one call. Made when it opens. */
export interface CallHandler {
  /** A message. Throwing ends the call with that error. */
  message(message: Buffer): void;
  /** What waited to be sent is sent. */
  drained?(): void;
  /** The caller sends nothing more, or is gone: without HTTP/2 the two look alike until the call is ended. */
  halfClosed(): void;
  /** The call is over, whoever ended it. Exactly once. */
  closed(): void;
}

/** Methods by path, such as "/headgate.v1.ReplicaService/Session". */
export type Methods = Readonly<Record<string, (call: ServerCall) => CallHandler>>;

/** A running server. */
export interface StreamServer {
  /** Lets no new connection in. */
  closeListener(): void;
  /** Ends every call after what was sent on it, and resolves when the callers have left, or after this time at the latest. */
  finish(withinMs: number): Promise<void>;
  /** Ends all that is open. */
  destroy(): void;
}

/** Serves methods at "unix:PATH" or "HOST:PORT". Resolves when it listens. */
export function serveStreams(address: string, methods: Methods): Promise<StreamServer> {
  const http2 = createHttp2Server({
    settings: { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: LIMITS.sessionStreams },
    maxSessionMemory: 256,
  });
  const connections = new Set<{ destroy(): void; once(event: "close", listener: () => void): unknown }>();
  http2.on("session", (session: ServerHttp2Session) => {
    connections.add(session);
    session.setLocalWindowSize(STREAM_WINDOW_BYTES);
    session.on("error", () => session.destroy());
    session.on("close", () => connections.delete(session));
  });
  http2.on("sessionError", () => undefined);
  const ends = new Set<() => void>();
  /** Connections that have not said yet of which kind they are. */
  const fresh = new Set<Socket>();
  http2.on("stream", (stream, headers) => {
    // A server's streams are ServerHttp2Streams; the event's type does not say so.
    const end = serve(stream as ServerHttp2Stream, headers, methods);
    ends.add(end);
    stream.once("close", () => ends.delete(end));
  });
  // A caller that has said all may still wait for the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    fresh.add(socket);
    socket.once("close", () => fresh.delete(socket));
    byFirstBytes(socket, {
      http2: () => {
        fresh.delete(socket);
        // HTTP/2 has a word of its own for a caller that has said all.
        socket.allowHalfOpen = false;
        http2.emit("connection", socket);
      },
      direct: (path, rest) => {
        fresh.delete(socket);
        const end = serveDirect(socket, path, rest, methods);
        connections.add(socket);
        ends.add(end);
        socket.once("close", () => {
          connections.delete(socket);
          ends.delete(end);
        });
      },
    });
  });
  const closeDoor = (): void => {
    server.close();
    for (const socket of fresh) socket.destroy();
  };
  return listen(server, address).then(() => ({
    closeListener: () => void server.close(),
    finish: async (withinMs) => {
      closeDoor();
      for (const end of [...ends]) end();
      // A caller closes its connection when it has read its call's end: what was sent before is read by then.
      const left = [...connections].map((connection) => new Promise<void>((resolve) => connection.once("close", resolve)));
      await Promise.race([Promise.all(left), new Promise((resolve) => setTimeout(resolve, withinMs).unref())]);
    },
    destroy: () => {
      closeDoor();
      for (const connection of connections) connection.destroy();
    },
  }));
}

/** Tells a connection's kind by what it says first. */
function byFirstBytes(socket: Socket, kinds: { readonly http2: () => void; readonly direct: (path: string, rest: Buffer) => void }): void {
  const late = setTimeout(() => socket.destroy(), LIMITS.headerTimeoutMs);
  socket.once("close", () => clearTimeout(late));
  let seen: Buffer = Buffer.alloc(0);
  const look = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const isDirect = seen.toString("latin1", 0, DIRECT_PREFACE.length) === DIRECT_PREFACE.slice(0, seen.length);
    const line = isDirect ? seen.indexOf(0x0a) : -1;
    if (isDirect && line < 0) {
      if (seen.length > DIRECT_LINE_BYTES) socket.destroy();
      return;
    }
    socket.off("readable", look);
    clearTimeout(late);
    if (isDirect) kinds.direct(seen.toString("latin1", DIRECT_PREFACE.length, line), seen.subarray(line + 1));
    else {
      socket.unshift(seen);
      kinds.http2();
    }
  };
  socket.on("readable", look);
}

function serveDirect(socket: Socket, path: string, rest: Buffer, methods: Methods): () => void {
  // The bytes behind the first line are read like all that follow.
  if (rest.length > 0) socket.unshift(rest);
  const end = (error: Fault | null): void => call.end(error === null ? { "grpc-status": "0" } : trailersOf(error));
  const call = new DirectCall(socket);
  const method = Object.hasOwn(methods, path) ? methods[path] : undefined;
  const handler = method?.({
    timeoutMs: 0,
    get backedUp() {
      return socket.writableNeedDrain;
    },
    send: (message) => call.send(message),
    sendPrefixed: (bytes, behind) => call.sendPrefixed(bytes, behind),
    cork: () => call.cork(),
    uncork: () => call.uncork(),
    end,
  });
  if (handler === undefined) end(fault("method_not_declared", `there is no gRPC method ${path.slice(0, 200)} here`));
  const splitter = new MessageSplitter((message) => {
    if (!call.ended) handler?.message(message);
  });
  socket.on("data", (chunk: Buffer) => {
    if (call.ended) return;
    try {
      splitter.push(chunk);
    } catch (error) {
      end(faultOf(error));
    }
  });
  socket.on("drain", () => handler?.drained?.());
  socket.on("end", () => handler?.halfClosed());
  socket.on("close", () => handler?.closed());
  return () => end(null);
}

function faultOf(error: unknown): Fault {
  return error instanceof HeadgateError ? fault(error.code, error.message) : fault("replica_protocol", String(error));
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const done = (): void => {
      server.off("error", reject);
      server.on("error", () => undefined);
      resolve();
    };
    if (address.startsWith("unix:")) {
      server.listen(address.slice(5), done);
      return;
    }
    const colon = address.lastIndexOf(":");
    server.listen(Number(address.slice(colon + 1)), address.slice(0, colon), done);
  });
}

function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, methods: Methods): () => void {
  stream.on("error", () => stream.destroy());
  const path = headers[":path"] ?? "";
  if (headers["content-type"]?.startsWith("application/grpc") !== true) {
    stream.respond({ ":status": 415 }, { endStream: true });
    return () => undefined;
  }
  let trailers: Record<string, string> = {};
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  let ended = false;
  const end = (error: Fault | null): void => {
    if (ended) return;
    ended = true;
    trailers = error === null ? { "grpc-status": "0" } : trailersOf(error);
    if (!stream.destroyed) stream.end();
    // Unread messages of the caller must not keep the stream open.
    stream.resume();
  };
  const method = Object.hasOwn(methods, path) ? methods[path] : undefined;
  if (method === undefined) {
    end(fault("method_not_declared", `there is no gRPC method ${path.slice(0, 200)} here`));
    return () => end(null);
  }
  const given = headers["grpc-timeout"];
  const timeoutMs = parseTimeout(typeof given === "string" ? given : undefined);
  if (timeoutMs === null) {
    end(fault("malformed_request", "grpc-timeout is not a number of at most eight digits and a unit"));
    return () => end(null);
  }
  const handler = method({
    timeoutMs,
    get backedUp() {
      return stream.writableNeedDrain;
    },
    send: (message) => !ended && !stream.destroyed && stream.write(prefixed(message)),
    sendPrefixed: (bytes, behind = []) => {
      if (ended || stream.destroyed) return false;
      let more = stream.write(bytes);
      for (const piece of behind) more = stream.write(piece);
      return more;
    },
    cork: () => stream.cork(),
    uncork: () => stream.uncork(),
    end,
  });
  const splitter = new MessageSplitter((message) => {
    if (!ended) handler.message(message);
  });
  stream.on("data", (chunk: Buffer) => {
    if (ended) return;
    try {
      splitter.push(chunk);
    } catch (error) {
      end(faultOf(error));
    }
  });
  stream.on("drain", () => handler.drained?.());
  stream.on("end", () => handler.halfClosed());
  stream.on("close", () => {
    ended = true;
    handler.closed();
  });
  return () => end(null);
}

function trailersOf(error: Fault): Record<string, string> {
  return {
    "grpc-status": String(GrpcStatus[FAULTS[error.code].grpc]),
    "grpc-message": encodeURIComponent(error.message.toWellFormed()),
    "headgate-fault-bin": Buffer.from(FaultMessage.encode(faultToProto(error)).finish()).toString("base64"),
  };
}

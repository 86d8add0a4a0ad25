// The server's side of stream.ts: gRPC methods straight on node:http2, for replicas. Anything that is not gRPC is refused.

import { type Http2Server, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream, createServer } from "node:http2";
import { FAULTS, type Fault, GrpcStatus, HeadgateError, LIMITS, fault } from "@headgate/core";
import { Fault as FaultMessage } from "@headgate/proto/fault";
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
  /** Sends bytes that are messages with their prefixes already. */
  sendPrefixed(bytes: Uint8Array): boolean;
  /** Ends the call: with status OK, or with a fault. */
  end(error: Fault | null): void;
}

/** What a method does with one call. Made when it opens. */
export interface CallHandler {
  /** A message. Throwing ends the call with that error. */
  message(message: Buffer): void;
  /** The caller sends nothing more. */
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
  const server = createServer({
    settings: { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: LIMITS.sessionStreams },
    maxSessionMemory: 256,
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.setLocalWindowSize(STREAM_WINDOW_BYTES);
    session.on("error", () => session.destroy());
    session.on("close", () => sessions.delete(session));
  });
  server.on("sessionError", () => undefined);
  const ends = new Set<() => void>();
  server.on("stream", (stream, headers) => {
    // A server's streams are ServerHttp2Streams; the event's type does not say so.
    const end = serve(stream as ServerHttp2Stream, headers, methods);
    ends.add(end);
    stream.once("close", () => ends.delete(end));
  });
  return listen(server, address).then(() => ({
    closeListener: () => void server.close(),
    finish: async (withinMs) => {
      server.close();
      for (const end of [...ends]) end();
      // A caller closes its connection when it has read its call's end: what was sent before is read by then.
      const left = [...sessions].map((session) => new Promise<void>((resolve) => session.once("close", resolve)));
      await Promise.race([Promise.all(left), new Promise((resolve) => setTimeout(resolve, withinMs).unref())]);
    },
    destroy: () => {
      server.close();
      for (const session of sessions) session.destroy();
    },
  }));
}

function listen(server: Http2Server, address: string): Promise<void> {
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
    send: (message) => !ended && !stream.destroyed && stream.write(prefixed(message)),
    sendPrefixed: (bytes) => !ended && !stream.destroyed && stream.write(bytes),
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
      end(error instanceof HeadgateError ? fault(error.code, error.message) : fault("replica_protocol", String(error)));
    }
  });
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

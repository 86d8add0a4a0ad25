// gRPC calls straight on node:http2, for processes on the request path: a bridge's and a replica's streams.
// grpc-js costs twice the CPU for each message and 60 ms of each process's start (docs/performance.md); this speaks the
// same wire (tested against grpc-js both ways). No name resolution, no balancing, no compression: one call on one connection.

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { type OnReadOpts, type Socket, connect as connectSocket } from "node:net";
import { type Fault, HeadgateError, fault } from "@headgate/core";
import { Fault as FaultMessage } from "@headgate/proto/fault";
import { DIRECT_PREFACE, DirectCall, parseTrailers } from "./direct.ts";
import { faultFromProto } from "./fault-codec.ts";
import { Inbox } from "./inbox.ts";
import { MessageSplitter, prefixed } from "./splitter.ts";
import { formatTimeout } from "./timeout.ts";

/** Bytes that a peer may send before we have read them, for a stream and for its connection. */
export const STREAM_WINDOW_BYTES = 8 * 1024 * 1024;

/** What happens on a call. After end() nothing more does. */
export interface StreamEvents {
  /** The connection stands and the call was sent; told by openStream() alone. */
  open?(): void;
  /** A message: a slice of larger memory, which stays as it is until delivered() allows otherwise. Throwing ends the call. */
  message(message: Buffer): void;
  /**
   * All messages of one read were told. Returns whether any of their bytes are still needed; where none are, the memory may be written
   * to again. Without it all bytes stay as they are.
   */
  delivered?(): boolean;
  /** What waited to be sent is sent. */
  sent?(): void;
  /** The call is over; null: with status OK. Exactly once. */
  end(error: HeadgateError | null): void;
}

/** What to call. */
export interface StreamTarget {
  /** Such as "/headgate.v1.ReplicaService/Session". */
  readonly path: string;
  /** Sent as "authorization: Bearer TOKEN". */
  readonly token?: string;
  /** How long the call may take, sent as grpc-timeout; its end is the peer's to keep. */
  readonly timeoutMs?: number;
  /** Largest message that is taken, in bytes. */
  readonly maxMessageBytes?: number;
  /** Whether the peer takes calls without HTTP/2 (direct.ts). */
  readonly direct?: boolean;
}

/** An open call: messages go out in order. */
export interface GrpcStream {
  /** Sends a message. False: more than the peer takes is waiting. */
  send(message: Uint8Array): boolean;
  /** Sends bytes that are messages with their prefixes already, and `behind` right after them. */
  sendPrefixed(bytes: Uint8Array, behind?: readonly Uint8Array[]): boolean;
  /** Bytes that wait to be sent: the peer has not read what was sent before. */
  unsentBytes(): number;
  /** Nothing more is sent; the peer may still answer. */
  finish(): void;
  /** Ends the call at once. */
  close(): void;
}

/** A connection that carries calls. */
export interface GrpcConnection {
  /** Opens a call. Never throws: what fails comes as end(). */
  open(target: StreamTarget, events: StreamEvents): GrpcStream;
  /** Ends the connection and every call on it. */
  close(): void;
}

/** A connection; `onread`: what reads it, where that is not a stream. */
function socketOf(address: string, onread?: OnReadOpts): Socket {
  const reading = onread === undefined ? {} : { onread };
  if (address.startsWith("unix:")) return connectSocket({ path: address.slice(5), ...reading });
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return connectSocket({ port: Number(address.slice(colon + 1)), host, noDelay: true, ...reading });
}

function unreachable(address: string, cause: Error | undefined): HeadgateError {
  const message = `the connection to ${address} ${cause ? `failed: ${cause.message}` : "was closed"}`;
  return new HeadgateError(fault("replica_lost", message), cause && { cause });
}

function asError(error: unknown): HeadgateError {
  return error instanceof HeadgateError ? error : new HeadgateError(fault("replica_protocol", String(error)), { cause: error });
}

/** Connects to "unix:PATH" or "HOST:PORT". `onClose` is told once when the connection is gone. Never throws. */
export function connectTo(address: string, onOpen: () => void, onClose: (error: HeadgateError) => void): GrpcConnection {
  const session = connect("http://localhost", {
    createConnection: () => socketOf(address),
    settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    maxSessionMemory: 256,
  });
  let cause: Error | undefined;
  session.on("connect", () => {
    // Closed while it was being made.
    if (session.destroyed) return;
    session.setLocalWindowSize(STREAM_WINDOW_BYTES);
    onOpen();
  });
  session.on("error", (error) => {
    cause = error;
  });
  const gone = (): HeadgateError => unreachable(address, cause);
  session.on("close", () => onClose(gone()));
  return {
    open: (target, events) => openOn(session, target, events, gone),
    close: () => session.destroy(),
  };
}

function openOn(session: ClientHttp2Session, target: StreamTarget, events: StreamEvents, unreachable: () => HeadgateError): GrpcStream {
  if (session.closed || session.destroyed) {
    queueMicrotask(() => events.end(unreachable()));
    return { send: () => false, sendPrefixed: () => false, unsentBytes: () => 0, finish: () => undefined, close: () => undefined };
  }
  const stream = session.request({
    ":method": "POST",
    ":path": target.path,
    "content-type": "application/grpc",
    te: "trailers",
    ...(target.timeoutMs === undefined ? {} : { "grpc-timeout": formatTimeout(target.timeoutMs) }),
    ...(target.token === undefined ? {} : { authorization: `Bearer ${target.token}` }),
  });
  watch(stream, target, events, unreachable);
  return {
    send: (message) => !stream.destroyed && stream.write(prefixed(message)),
    sendPrefixed: (bytes, behind = []) => {
      if (stream.destroyed) return false;
      let more = stream.write(bytes);
      for (const piece of behind) more = stream.write(piece);
      return more;
    },
    unsentBytes: () => stream.writableLength,
    finish: () => void stream.end(),
    close: () => void stream.destroy(),
  };
}

function watch(stream: ClientHttp2Stream, target: StreamTarget, events: StreamEvents, unreachable: () => HeadgateError): void {
  let ended = false;
  let status: StatusFields = {};
  const end = (error: HeadgateError | null): void => {
    if (ended) return;
    ended = true;
    stream.destroy();
    events.end(error);
  };
  const splitter = new MessageSplitter((message) => {
    if (!ended) events.message(message);
  }, target.maxMessageBytes);
  stream.on("data", (chunk: Buffer) => {
    if (ended) return;
    try {
      splitter.push(chunk);
      // A stream's chunks are nobody's else and stay as they are.
      events.delivered?.();
    } catch (error) {
      end(asError(error));
    }
  });
  // The status of a call that fails at once stands in the head; else in the trailers.
  const take = (headers: StatusFields): void => {
    if (headers["grpc-status"] !== undefined) status = headers;
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("drain", () => events.sent?.());
  stream.on("error", () => undefined);
  // Whoever has answered in full takes nothing more, also where we could still send.
  stream.on("end", () => stream.close());
  stream.on("close", () => end(status["grpc-status"] === undefined ? unreachable() : errorOfStatus(status)));
}

/** A connection with one call on it. Closing the call closes the connection. */
export function openStream(address: string, target: StreamTarget, events: StreamEvents): GrpcStream {
  if (target.direct === true) return openDirect(address, target, events);
  const connection = connectTo(
    address,
    () => events.open?.(),
    () => undefined,
  );
  const stream = connection.open(target, {
    message: (message) => events.message(message),
    delivered: () => events.delivered?.() ?? true,
    sent: () => events.sent?.(),
    end: (error) => {
      connection.close();
      events.end(error);
    },
  });
  return { ...stream, close: () => connection.close() };
}

function openDirect(address: string, target: StreamTarget, events: StreamEvents): GrpcStream {
  let cause: Error | undefined;
  let ended = false;
  const end = (error: HeadgateError | null): void => {
    if (ended) return;
    ended = true;
    socket.destroy();
    events.end(error);
  };
  const inbox = new Inbox(
    {
      message: (message) => {
        if (!ended) events.message(message);
      },
      trailers: (bytes) => end(errorOfStatus(parseTrailers(bytes.toString("latin1")))),
      delivered: () => events.delivered?.() ?? true,
    },
    target.maxMessageBytes,
  );
  const socket = socketOf(address, {
    buffer: () => inbox.room(),
    callback: (bytes) => {
      try {
        if (!ended) inbox.filled(bytes);
      } catch (error) {
        end(asError(error));
      }
      return true;
    },
  });
  const call = new DirectCall(socket);
  socket.on("connect", () => {
    if (!ended) events.open?.();
  });
  socket.on("error", (error) => {
    cause = error;
  });
  socket.on("drain", () => events.sent?.());
  socket.on("close", () => end(unreachable(address, cause)));
  socket.write(`${DIRECT_PREFACE}${target.path}\n`);
  return {
    send: (message) => call.send(message),
    sendPrefixed: (bytes, behind) => call.sendPrefixed(bytes, behind),
    unsentBytes: () => socket.writableLength,
    finish: () => call.finish(),
    close: () => end(unreachable(address, cause)),
  };
}

/** What of a response's header fields says how the call ended. */
interface StatusFields {
  readonly [name: string]: string | string[] | number | readonly string[] | undefined;
}

function errorOfStatus(fields: StatusFields): HeadgateError | null {
  const status = Number(fields["grpc-status"]);
  if (status === 0) return null;
  const message = decodeMessage(String(fields["grpc-message"] ?? `gRPC status ${status}`));
  return new HeadgateError(faultOfTrailer(fields["headgate-fault-bin"]) ?? fault("replica_lost", message, { grpcStatus: String(status) }));
}

function faultOfTrailer(value: unknown): Fault | null {
  if (typeof value !== "string") return null;
  try {
    return faultFromProto(FaultMessage.decode(Buffer.from(value, "base64")));
  } catch {
    return null;
  }
}

function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** One unary call. Rejects with a HeadgateError. */
export function callUnary(connection: GrpcConnection, target: StreamTarget, message: Uint8Array, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let reply: Buffer | null = null;
    const abort = (): void => {
      reject(new HeadgateError(fault("cancelled", "the call was cancelled")));
      stream.close();
    };
    const stream = connection.open(target, {
      message: (bytes) => {
        reply = bytes;
      },
      end: (error) => {
        signal.removeEventListener("abort", abort);
        if (error !== null) reject(error);
        else if (reply === null) reject(new HeadgateError(fault("replica_protocol", "the call ended without a reply")));
        else resolve(reply);
      },
    });
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    stream.send(message);
    stream.finish();
  });
}

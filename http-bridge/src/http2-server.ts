// The HTTP/2 server: node:http2's with its limits set, for connections by prior knowledge and those that TLS has agreed on.
// What happens to a request stands in intake.ts and serve.ts; here is what a connection may do and for how long.

import { type Http2Session, type ServerHttp2Stream, createServer } from "node:http2";
import type { Socket } from "node:net";
import { LIMITS } from "@headgate/core";
import { Exchange } from "./exchange.ts";
import { Http2Responder } from "./http2.ts";
import { http2Head } from "./model/http2-fields.ts";
import { tooLate } from "./model/request.ts";
import { type Surroundings, serve } from "./serve.ts";

/** How often connections and bodies are looked at. */
const LOOK_MS = 1_000;
/** How long a connection that was told to finish is waited for, where nothing runs on it. */
const FAREWELL_MS = 5_000;
/** Fields and bytes that are still read, so that the refusal is an answer like any other and not a broken stream. */
const READ_FIELDS = 2 * LIMITS.headerFields;
const READ_HEADER_BYTES = LIMITS.headerBytes + 64 * READ_FIELDS;
/** The highest number of a stream: a GOAWAY with it announces the end and refuses nothing. */
const ANY_STREAM = 2 ** 31 - 1;

/** What is kept of a connection. */
interface Connection {
  /** Streams that are open. */
  streams: number;
  /** Since when nothing has run on it. */
  idleSince: number;
  /** Whether it has said what HTTP/2 begins with. */
  greeted: boolean;
  /** When it was told to finish; 0: it was not. */
  leavingSince: number;
  /** Of one that finishes: how much had gone out at the last look, since when it is so much, and whether more was tried since. */
  written: number;
  writtenAt: number;
  tried: boolean;
}

/** A bridge's HTTP/2. */
export interface Http2Front {
  /** Takes a connection that speaks HTTP/2. */
  readonly connection: (socket: Socket) => void;
  /** Lets every connection finish what runs on it. */
  drain(): void;
  /** Ends every connection at once. */
  close(): void;
}

/** Makes it. */
export function createHttp2Front(surroundings: Surroundings): Http2Front {
  const { router, intake, state, limits } = surroundings;
  const connections = new Map<Http2Session, Connection>();
  const asked = new Set<Http2Responder>();
  let look: NodeJS.Timeout | null = null;

  // It never listens itself, as its close() would end connections without announcing it.
  const server = createServer({
    settings: {
      maxConcurrentStreams: LIMITS.http2Streams,
      maxHeaderListSize: READ_HEADER_BYTES,
      initialWindowSize: LIMITS.bodyChunkBytes,
    },
    maxHeaderListPairs: READ_FIELDS,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: LIMITS.http2Streams,
    streamResetBurst: LIMITS.http2ResetBurst,
    streamResetRate: LIMITS.http2ResetsPerSecond,
    // A handler's fields go out as they are.
    strictSingleValueFields: false,
  });

  function onStream(stream: ServerHttp2Stream, raw: readonly string[]): void {
    stream.on("error", () => undefined);
    const connection = stream.session === undefined ? undefined : connections.get(stream.session);
    if (connection !== undefined) connection.streams++;
    const head = http2Head(raw);
    const verdict = intake.look(head.method, head.target, head.fields, true, head);
    const now = performance.now();
    const responder = new Http2Responder(stream, head.method, now);
    const exchange = new Exchange(responder, head.method, intake.requestId, router);
    responder.exchange = exchange;
    asked.add(responder);
    const left = (): void => exchange.left();
    stream.once("aborted", () => {
      left();
      // Where it was ended without an error, it closes once all that came before was read, which may have been held back.
      stream.resume();
    });
    stream.once("close", () => {
      left();
      asked.delete(responder);
      if (connection === undefined) return;
      connection.streams--;
      connection.idleSince = performance.now();
    });
    // A body's length need not be said here.
    if (!responder.received && intake.fields.contentLength < 0) intake.fields.chunked = true;
    serve(exchange, verdict, surroundings);
    // Without a body only the end is to come.
    if (!responder.received && verdict === "call" && intake.fields.contentLength === 0) stream.resume();
  }

  // A server's streams are ServerHttp2Streams; the event's type does not say so.
  server.on("stream", (stream, _headers, _flags, rawHeaders: readonly string[]) => onStream(stream as ServerHttp2Stream, rawHeaders));
  server.on("session", (session) => {
    const fresh = { streams: 0, greeted: false, leavingSince: 0, written: -1, writtenAt: 0, tried: false };
    const connection: Connection = { ...fresh, idleSince: performance.now() };
    connections.set(session, connection);
    session.on("error", () => undefined);
    session.on("close", () => {
      connections.delete(session);
      if (connections.size > 0 || look === null) return;
      clearInterval(look);
      look = null;
    });
    session.once("remoteSettings", () => {
      connection.greeted = true;
    });
    session.setLocalWindowSize(LIMITS.http2WindowBytes);
    look ??= setInterval(lookAtAll, Math.min(LOOK_MS, limits.sendTimeoutMs, limits.bodyTimeoutMs)).unref();
    if (state.draining) leave(session, connection);
  });
  server.on("sessionError", () => undefined);
  server.on("clientError", () => undefined);

  function lookAtAll(): void {
    const now = performance.now();
    for (const responder of asked) {
      responder.watch(limits.sendTimeoutMs);
      const { exchange } = responder;
      if (exchange?.uploads === true) exchange.watch(now, limits.bodyTimeoutMs);
      else if (!responder.received && now - responder.since > limits.bodyTimeoutMs) exchange?.breakOff(tooLate("bodyTimeoutMs"));
    }
    for (const [session, connection] of connections) {
      const { streams, idleSince, greeted, leavingSince } = connection;
      if (streams > 0) {
        if (session.closed && !session.destroyed) watchLast(session, connection, now);
        continue;
      }
      if (leavingSince > 0) {
        if (now - Math.max(leavingSince, idleSince) > FAREWELL_MS) session.destroy();
      } else if (!greeted && now - idleSince > limits.headerTimeoutMs) session.destroy();
      else if (now - idleSince > limits.keepAliveTimeoutMs) leave(session, connection);
    }
  }

  /**
   * Gives up a connection that finishes and on which nothing can be sent for sendTimeoutMs, not even another GOAWAY: where a caller breaks
   * the protocol behind its own, node:http2 does nothing more without a word, and does not hear that the caller is gone.
   */
  function watchLast(session: Http2Session, connection: Connection, now: number): void {
    const { bytesWritten } = session.socket;
    if (bytesWritten !== connection.written) {
      connection.written = bytesWritten;
      connection.writtenAt = now;
      connection.tried = false;
      return;
    }
    const silentMs = now - connection.writtenAt;
    if (connection.tried && silentMs > limits.sendTimeoutMs) session.destroy();
    else if (!connection.tried && silentMs > limits.sendTimeoutMs / 2) {
      connection.tried = true;
      session.goaway(0, ANY_STREAM);
    }
  }

  /** Announces the end, and takes nothing new once the caller has heard of it: what was on its way until then is served. */
  function leave(session: Http2Session, connection: Connection): void {
    if (connection.leavingSince > 0 || session.destroyed) return;
    connection.leavingSince = performance.now();
    session.goaway(0, ANY_STREAM);
    const close = (): void => {
      if (!session.destroyed) session.close();
    };
    if (!session.ping(close)) close();
    // A caller that answers no ping.
    setTimeout(close, LOOK_MS).unref();
  }

  return {
    connection: (socket) => server.emit("connection", socket),
    drain: () => {
      for (const [session, connection] of connections) leave(session, connection);
    },
    close: () => {
      for (const session of connections.keys()) session.destroy();
    },
  };
}

// The HTTP/1.x server: Node's, with its limits set, and what it keeps of each connection.
// What happens to a request stands in intake.ts and serve.ts.

import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { LIMITS } from "@headgate/core";
import { Exchange } from "./exchange.ts";
import { Http1Responder } from "./http1.ts";
import type { LingeringSocket } from "./linger.ts";
import { answerMalformed } from "./malformed.ts";
import { asksForWebSocket } from "./model/handshake.ts";
import type { MeasuredHead } from "./model/request.ts";
import { type BridgeLimits, type Surroundings, serve } from "./serve.ts";
import { serveConnect, serveUpgrade } from "./upgrade.ts";

/** A connection and what was asked on it last; where the caller pipelines, what was asked before it too. */
interface Connection extends LingeringSocket {
  asked?: Http1Responder | null;
}

/** Node's parser lets some others through. */
const OTHER_VERSION: MeasuredHead = { count: 0, bytes: 0, problem: "this is not HTTP/1.1 or HTTP/1.0" };

/** The newest of these requests that has no answer yet, and behind it those of the others that have none. */
function withoutAnswer(asked: Http1Responder | null): Http1Responder | null {
  let newest = asked;
  while (newest !== null && newest.exchange?.over !== false) newest = newest.before;
  if (newest !== null) newest.before = withoutAnswer(newest.before);
  return newest;
}

/** Puts a request behind the one before it, which may have no answer yet. False: there are too many whose answers were not taken. */
function follow(connection: Connection, responder: Http1Responder, before: Http1Responder): boolean {
  const waiting = withoutAnswer(before);
  if (waiting !== null) {
    responder.before = waiting;
    before.followed = true;
    let count = 1;
    for (let at = waiting.before; at !== null; at = at.before) count++;
    if (count >= LIMITS.pipelinedRequests) return false;
  }
  // Those that have their answers, and these wait for the caller.
  if (connection.writableLength > 0) responder.depth = before.depth + 1;
  return responder.depth < LIMITS.pipelinedRequests;
}

/** Whether all that was asked on a connection has its answer, and those have left it, so that it can be used for something else. */
function isFree({ asked = null, lingers }: Connection): boolean {
  if (lingers === true) return false;
  return asked === null || (asked.exchange?.over === true && asked.outgoing.writableFinished && asked.outgoing.socket === null);
}

/** How often connections are looked at. */
const LOOK_MS = 1_000;

/** Gives callers up that take nothing of what waits for them for this long, or send nothing of a body. To be called now and then. */
function watch(sockets: ReadonlySet<Connection>, { sendTimeoutMs, bodyTimeoutMs }: BridgeLimits, idleMs: number): void {
  const now = performance.now();
  for (const socket of sockets) {
    socket.asked?.exchange?.watch(now, bodyTimeoutMs);
    const stalls = socket.writableLength > 0;
    // Node counts from when something last went out, and ends the connection; for idle ones it sets a time of its own, which it may
    // have done while the last answer still waited.
    if (stalls && socket.timeout !== sendTimeoutMs) socket.setTimeout(sendTimeoutMs);
    else if (!stalls && socket.timeout === sendTimeoutMs) socket.setTimeout(withoutAnswer(socket.asked ?? null) === null ? idleMs : 0);
  }
}

/** A bridge's HTTP server. Not listening yet. */
export function createBridgeServer(surroundings: Surroundings): Server {
  const { router, intake, limits } = surroundings;

  function onRequest(req: IncomingMessage, res: ServerResponse): void {
    // Socket is extended by this module alone.
    const connection = req.socket as Connection;
    if (connection.lingers === true) return;
    const target = req.url ?? "";
    const method = req.method ?? "GET";
    const measured = req.httpVersionMajor === 1 ? null : OTHER_VERSION;
    const verdict = intake.look(method, target, req.rawHeaders, req.httpVersionMinor >= 1, measured);
    const { fields } = intake;
    const responder = new Http1Responder(req, res, fields.chunked || fields.contentLength > 0, fields.takesTrailers, surroundings);
    const exchange = new Exchange(responder, method, intake.requestId, router);
    responder.exchange = exchange;
    const before = connection.asked ?? null;
    connection.asked = responder;
    if (before !== null && !follow(connection, responder, before)) {
      connection.destroy();
      return;
    }
    serve(exchange, verdict, surroundings);
  }

  const server = createServer(
    {
      // Node refuses what reaches it.
      maxHeaderSize: LIMITS.headerBytes + 1,
      headersTimeout: limits.headerTimeoutMs,
      requestTimeout: limits.bodyTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: 1_000,
      // Looked at with the other fields, so that the refusal is a problem like any other.
      requireHostHeader: false,
      // A request without a body needs no stream to read it from.
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (req) => asksForWebSocket(req.method ?? "", req.httpVersionMinor, req.headers),
    },
    onRequest,
  );
  // Node leaves fields beyond this out without a word; we count them ourselves and refuse.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  // Whether the body is wanted is said once the request has been looked at.
  server.on("checkContinue", onRequest);
  server.on("checkExpectation", onRequest);
  const sockets = new Set<Connection>();
  const lookMs = Math.min(LOOK_MS, limits.sendTimeoutMs, limits.bodyTimeoutMs);
  const idleMs = server.keepAliveTimeout + server.keepAliveTimeoutBuffer;
  const look = setInterval(() => watch(sockets, limits, idleMs), lookMs).unref();
  server.on("close", () => clearInterval(look));
  server.on("connection", (socket: Connection) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      for (let asked = socket.asked ?? null; asked !== null; asked = asked.before) asked.exchange?.left();
      socket.asked = null;
    });
  });
  server.on("upgrade", (req, socket: Connection, head) => {
    sockets.delete(socket);
    // Nobody asks for a WebSocket before the answers to earlier requests, and there is no telling where those would go.
    if (isFree(socket)) serveUpgrade(req, socket, head, surroundings);
    else socket.destroy();
  });
  server.on("connect", (req, socket: Connection) => {
    if (isFree(socket)) serveConnect(req, socket, surroundings);
    else socket.destroy();
  });
  server.on("clientError", (error, socket: Connection) => answerMalformed(error, socket, socket.asked?.exchange ?? null));
  return server;
}

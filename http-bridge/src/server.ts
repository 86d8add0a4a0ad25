// The HTTP/1.x server: Node's, with its limits set, and what it keeps of each connection.
// What happens to a request stands in intake.ts and serve.ts.

import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { Socket } from "node:net";
import { LIMITS } from "@headgate/core";
import { Exchange } from "./exchange.ts";
import { Http1Responder } from "./http1.ts";
import { answerMalformed } from "./malformed.ts";
import { asksForWebSocket } from "./model/handshake.ts";
import { type Surroundings, serve } from "./serve.ts";
import { serveConnect, serveUpgrade } from "./upgrade.ts";

/** A connection and what was asked on it last; where the caller pipelines, what was asked before it too. */
interface Connection extends Socket {
  asked?: Http1Responder | null;
}

/** A bridge's HTTP server. Not listening yet. */
export function createBridgeServer(surroundings: Surroundings): Server {
  const { router, intake, limits } = surroundings;

  function onRequest(req: IncomingMessage, res: ServerResponse): void {
    const target = req.url ?? "";
    const method = req.method ?? "GET";
    const verdict = intake.look(method, target, req.rawHeaders, req.httpVersionMinor >= 1, null);
    const { fields } = intake;
    const responder = new Http1Responder(req, res, fields.chunked || fields.contentLength > 0, fields.takesTrailers, surroundings);
    const exchange = new Exchange(responder, method, intake.requestId, router);
    responder.exchange = exchange;
    // Socket is extended by this module alone.
    const connection = req.socket as Connection;
    const before = connection.asked ?? null;
    if (before !== null && before.exchange?.over === false) {
      responder.before = before;
      before.followed = true;
    }
    connection.asked = responder;
    serve(exchange, verdict, surroundings);
  }

  const server = createServer(
    {
      maxHeaderSize: LIMITS.headerBytes,
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
  server.on("connection", (socket: Connection) => {
    socket.on("error", () => undefined);
    socket.on("close", () => {
      for (let asked = socket.asked ?? null; asked !== null; asked = asked.before) asked.exchange?.left();
      socket.asked = null;
    });
  });
  server.on("upgrade", (req, socket: Connection, head) => {
    // Nobody asks for a WebSocket before the answers to earlier requests, and there is no telling where those would go.
    if (socket.asked?.exchange?.over === false) socket.destroy();
    else serveUpgrade(req, socket, head, surroundings);
  });
  server.on("connect", (req, socket: Connection) => {
    if (socket.asked?.exchange?.over === false) socket.destroy();
    else serveConnect(req, socket, surroundings);
  });
  server.on("clientError", (error, socket: Connection) => answerMalformed(error, socket, socket.asked?.exchange ?? null));
  return server;
}

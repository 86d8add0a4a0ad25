// The HTTP server: Node's, with its limits set, and what happens to each request in the order of its protections.
// What a request or an answer means stands in model/; where it goes, in the router.

import { randomBytes } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { Socket } from "node:net";
import { Call, type LiveEndpoint, type Router } from "@headgate/client/data-plane";
import { LIMITS, fault } from "@headgate/core";
import { answerMalformed } from "./malformed.ts";
import type { BridgeState } from "./bridge-state.ts";
import { Exchange } from "./exchange.ts";
import { RequestFields } from "./model/fields.ts";
import { bodyPlan, bodyTooLarge, fieldsProblem, pathLength, requestIdOf, targetProblem } from "./model/request.ts";
import { answerOwn } from "./own-routes.ts";

/** A connection and what was asked on it last; where the caller pipelines, what was asked before it too. */
interface Connection extends Socket {
  exchange?: Exchange | null;
}

/** A bridge's HTTP server. Not listening yet. */
export function createBridgeServer(router: Router, state: BridgeState): Server {
  const fields = new RequestFields();
  const idPrefix = randomBytes(6).toString("base64url");
  let idCount = 0;

  function onRequest(req: IncomingMessage, res: ServerResponse): void {
    const { rawHeaders } = req;
    const target = req.url ?? "";
    fields.read(rawHeaders);
    const exchange = new Exchange(req, res, requestIdOf(fields.requestId, `${idPrefix}-${(idCount++).toString(36)}`), router);
    exchange.hasBody = fields.chunked || fields.contentLength > 0;
    // Socket is extended by this module alone.
    const connection = req.socket as Connection;
    const before = connection.exchange ?? null;
    if (before !== null && !before.over) exchange.before = before;
    connection.exchange = exchange;
    if (state.draining) res.shouldKeepAlive = false;

    // A request that could be read in two ways, or is over a limit, goes no further.
    const end = pathLength(target);
    const path = end === target.length ? target : target.slice(0, end);
    if (target === "*" && req.method === "OPTIONS") return exchange.answer(204, ["allow", "OPTIONS"], "");
    const problem = fieldsProblem(fields, rawHeaders.length / 2, req.httpVersionMinor >= 1) ?? targetProblem(target, path);
    if (problem !== null) return exchange.refuse(problem);

    // Headgate's own paths come before any endpoint's.
    if (path.startsWith("/-/")) return answerOwn(exchange, path, router, state);

    const { table } = router;
    if (table === null) return exchange.refuse(fault("not_ready", "this bridge has no routing table yet", {}, 1000));
    const match = table.match(path);
    if (match === null) return exchange.refuse(fault("route_not_found", `no endpoint has a route for ${path.slice(0, 200)}`));
    const endpoint = match.value;
    const method = req.method ?? "GET";
    if (!endpoint.methods.has(method)) {
      if (method === "OPTIONS") return exchange.answer(204, ["allow", endpoint.allow], "");
      return exchange.refuse(
        fault("method_not_allowed", `${method} is not a method of endpoint "${endpoint.name}"`, { endpoint: endpoint.name }),
        endpoint.allow,
      );
    }
    if (fields.contentLength > endpoint.maxBodyBytes) return exchange.refuse(bodyTooLarge(endpoint.maxBodyBytes));

    const deadline = performance.now() + endpoint.requestTimeoutMs;
    const call = new Call(endpoint.name, method, target, fields.forward, exchange.requestId, deadline, exchange);
    call.params = match.params;
    send(exchange, call, endpoint, fields);
  }

  function send(exchange: Exchange, call: Call, endpoint: LiveEndpoint, { contentLength, chunked, shardKey }: RequestFields): void {
    switch (bodyPlan(contentLength, chunked)) {
      case "none":
        exchange.call = call;
        router.dispatch(endpoint, call, shardKey);
        return;
      case "whole":
        exchange.collect((body) => {
          call.pieces.push(body);
          exchange.call = call;
          router.dispatch(endpoint, call, shardKey);
        });
        return;
      case "stream":
        call.bodyEnded = false;
        exchange.call = call;
        router.dispatch(endpoint, call, shardKey);
        exchange.forward(call, endpoint.maxBodyBytes);
    }
  }

  const server = createServer(
    {
      maxHeaderSize: LIMITS.headerBytes,
      headersTimeout: LIMITS.headerTimeoutMs,
      requestTimeout: LIMITS.bodyTimeoutMs,
      keepAliveTimeout: LIMITS.keepAliveTimeoutMs,
      connectionsCheckingInterval: 1_000,
      // Looked at with the other fields, so that the refusal is a problem like any other.
      requireHostHeader: false,
      // A request without a body needs no stream to read it from.
      optimizeEmptyRequests: true,
    },
    onRequest,
  );
  // Node leaves fields beyond this out without a word; we count them ourselves and refuse.
  server.maxHeadersCount = 0;
  server.maxConnections = LIMITS.connections;
  server.on("connection", (socket: Connection) => {
    socket.on("error", () => undefined);
    socket.on("close", () => {
      for (let exchange = socket.exchange ?? null; exchange !== null; exchange = exchange.before) exchange.left();
      socket.exchange = null;
    });
  });
  server.on("clientError", (error, socket: Connection) => answerMalformed(error, socket, socket.exchange ?? null));
  return server;
}

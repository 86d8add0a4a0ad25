// Requests that ask for a WebSocket: through the same protections as any other, then the handshake's own, and to a handler, which
// accepts or answers over HTTP. What passes once it is accepted stands in websocket.ts.

import { createHash } from "node:crypto";
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Call, type CallSink, type LiveEndpoint, MessageLane, PieceJoiner } from "@headgate/client/data-plane";
import { type Fault, LIMITS, fault } from "@headgate/core";
import { Exchange } from "./exchange.ts";
import { addCors, shardKeyOf } from "./extras.ts";
import { Http1Responder } from "./http1.ts";
import { acceptText, fieldValue, handshakeProblem, offersProtocol, originAllowed } from "./model/handshake.ts";
import { responseFields } from "./model/response.ts";
import { type Surroundings, serve } from "./serve.ts";
import { BridgeSocket } from "./websocket.ts";

/** What RFC 6455, section 1.3, puts behind a key before it is hashed. */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Bytes of a caller that does not wait for the handshake's end, kept until then. */
const MOST_EARLY_BYTES = LIMITS.bodyChunkBytes;

/** Does what is to be done with a request that asks for a WebSocket. `head` are bytes that came behind it. */
export function serveUpgrade(req: IncomingMessage, socket: Socket, head: Buffer, surroundings: Surroundings): void {
  const { intake, router, sockets, state } = surroundings;
  const verdict = intake.look("GET", req.url ?? "", req.rawHeaders, true, null);
  const res = answerOn(req, socket);
  const exchange = new Exchange(
    new Http1Responder(req, res, false, intake.fields.takesTrailers, surroundings),
    "GET",
    intake.requestId,
    router,
  );
  socket.on("close", () => exchange.left());
  const { endpoint, cors, fields } = intake;
  if (cors !== null) addCors(exchange, cors, fields.forward);
  if (verdict !== "call" || endpoint === null) {
    socket.resume();
    serve(exchange, verdict, surroundings);
    return;
  }
  const refusal = state.draining
    ? fault("draining", "this bridge finishes its requests and takes no new ones")
    : (handshakeProblem(req.headers) ?? originProblem(req, endpoint) ?? (sockets.full ? TOO_MANY : null));
  if (refusal !== null) {
    socket.resume();
    exchange.refuse(refusal);
    return;
  }
  sockets.count++;
  socket.on("close", () => sockets.count--);
  exchange.callersDeadline = intake.lowersDeadline(endpoint);
  const handshake = new Handshake(res, socket, head, exchange, endpoint, surroundings);
  const call = intake.call(endpoint, "GET", intake.target, exchange.secure, handshake);
  handshake.send(call, shardKeyOf(exchange, endpoint, fields));
}

/** Refuses a request for a tunnel, for which Node makes no response. */
export function serveConnect(req: IncomingMessage, socket: Socket, surroundings: Surroundings): void {
  const { intake, router } = surroundings;
  const verdict = intake.look("CONNECT", req.url ?? "", req.rawHeaders, true, null);
  const responder = new Http1Responder(req, answerOn(req, socket), false, false, surroundings);
  socket.resume();
  serve(new Exchange(responder, "CONNECT", intake.requestId, router), verdict, surroundings);
}

const TOO_MANY = fault(
  "websocket_limit",
  `this bridge holds ${LIMITS.websocketConnections} WebSockets, its limit`,
  {
    limit: "websocketConnections",
  },
  1000,
);

function originProblem({ headers }: IncomingMessage, endpoint: LiveEndpoint): Fault | null {
  if (originAllowed(headers.origin, headers.host, endpoint.cors?.origins ?? [])) return null;
  return fault("origin_not_allowed", `pages of another origin may not open a WebSocket to endpoint "${endpoint.name}"`);
}

/** A response for where there is no WebSocket. The connection ends with it. */
function answerOn(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.on("finish", () => {
    socket.end();
    socket.setTimeout(LIMITS.websocketCloseMs, () => socket.destroy());
  });
  return res;
}

/** One request until a handler has accepted it or answered, and what comes from the handler afterwards. */
class Handshake implements CallSink {
  readonly #res: ServerResponse;
  readonly #socket: Socket;
  readonly #exchange: Exchange;
  readonly #endpoint: LiveEndpoint;
  readonly #around: Surroundings;
  readonly #keepEarly = (chunk: Buffer): void => {
    this.#joiner.add(this.#early, chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > MOST_EARLY_BYTES) this.#socket.pause();
  };
  readonly #end = (): void => void this.#socket.destroy();
  readonly #joiner = new PieceJoiner();
  #early: Buffer[];
  #earlyBytes: number;
  #open: BridgeSocket | null = null;

  constructor(res: ServerResponse, socket: Socket, head: Buffer, exchange: Exchange, endpoint: LiveEndpoint, around: Surroundings) {
    this.#res = res;
    this.#socket = socket;
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#around = around;
    this.#early = head.length > 0 ? [head] : [];
    this.#earlyBytes = head.length;
    // Read from the start, as nothing else would tell that the caller is gone.
    socket.on("data", this.#keepEarly);
    socket.on("end", this.#end);
  }

  /** Sends the request to a backend. */
  send(call: Call, shardKey: string | null): void {
    call.bodyEnded = false;
    call.lane = new MessageLane({ part: () => undefined });
    this.#exchange.call = call;
    this.#around.router.dispatch(this.#endpoint, call, shardKey);
  }

  head(status: number, headers: readonly string[], body: Buffer | null, end: boolean): boolean {
    if (status !== 101) return this.#exchange.head(status, headers, body, end);
    this.#accept(headers);
    return true;
  }

  body(piece: Buffer | null, end: boolean, trailers: readonly string[]): boolean {
    if (this.#open === null) return this.#exchange.body(piece, end, trailers);
    if (end) this.#open.done();
    return true;
  }

  release(): boolean {
    return this.#exchange.release();
  }

  fault(failure: Fault): void {
    if (this.#open === null) this.#exchange.fault(failure);
    else this.#open.fault(failure);
  }

  writable(): void {
    this.#open?.writable();
  }

  #accept(headers: readonly string[]): void {
    const exchange = this.#exchange;
    const { call, extra } = exchange;
    if (exchange.over || call === null || call.lane === null) return;
    const { router, sockets } = this.#around;
    const asked = this.#res.req.headers;
    const fields = responseFields(headers);
    const protocol = fieldValue(headers, "sec-websocket-protocol");
    if (fields === null || (protocol !== null && !offersProtocol(asked, protocol))) {
      router.abandon(call);
      exchange.fault(fault("replica_protocol", "the replica accepted the WebSocket with a field or protocol that cannot be sent"));
      return;
    }
    // From here on the connection is no exchange of HTTP any more.
    exchange.over = true;
    const socket = this.#socket;
    socket.off("data", this.#keepEarly);
    socket.off("end", this.#end);
    this.#res.detachSocket(socket);
    const accept = createHash("sha1").update(`${asked["sec-websocket-key"]}${KEY_SUFFIX}`).digest("base64");
    socket.write(acceptText(accept, fields, exchange.requestId, extra), "latin1");
    const most = Math.min(this.#endpoint.maxBodyBytes, LIMITS.websocketMessageBytes);
    const open = new BridgeSocket(socket, call, router, sockets, most);
    this.#open = open;
    call.lane.sink = open;
    sockets.add(open);
    for (const chunk of this.#early) open.received(chunk);
    this.#early = [];
    open.writable();
  }
}

// What authors of handlers write against: the request's type, the forms a handler can have, and two small helpers.
// Types and plain values only; how a handler is found and called stands in replica/.

import type { Handles } from "./composition.ts";
import type { WebSocketAcceptOptions, WebSocketConnection } from "./websocket.ts";

/**
 * The request as a handler gets it: a web-standard Request with what the platform knows beside it. `Body` is what its JSON body is
 * taken to be; nothing checks that it is.
 */
export interface HandlerRequest<Body = unknown> extends Request, Handles {
  json(): Promise<Body>;
  /** Parameters of the route, such as `id` of "/items/:id"; "*" for a wildcard. */
  readonly params: Readonly<Record<string, string>>;
  /** Id of the request, as the caller reads it in `x-request-id` and the operator in the logs. */
  readonly requestId: string;
  /**
   * Whether this is a copy for a shadow, whose answer is thrown away, or was called on behalf of one: what has effects outside should be
   * left out.
   */
  readonly isShadow: boolean;
  /** Whether the caller asks for a WebSocket. */
  readonly isWebSocket: boolean;
  /** The subprotocols that the caller offers, in its order of preference. */
  readonly webSocketProtocols: readonly string[];
  /**
   * Accepts the WebSocket that the caller asks for. Without it the handler's result is the answer, over HTTP, and there is no WebSocket.
   * Throws a HeadgateError `upgrade_required` where the caller asks for none (as an answer that is a 426), a TypeError for a protocol
   * that the caller does not offer and for a second time.
   */
  acceptWebSocket(options?: WebSocketAcceptOptions): WebSocketConnection;
  /** Milliseconds that are left until the deadline, 0 when it has passed; Infinity where there is none. */
  readonly remainingMs: number;
  /**
   * Fields behind the request's body, once that has been read to its end; mostly none. Rejects with the reason why the
   * body did not come to its end.
   */
  readonly trailers: Promise<Headers>;
  /**
   * Adds a field behind the answer's body; possible until the answer has ended. Throws invalid_argument for a field that cannot
   * stand there (RFC 9110, section 6.5.1).
   */
  setTrailer(name: string, value: string): void;
}

/**
 * A stateless handler. What it returns becomes the response: nothing is an empty 200, a string is text, bytes are bytes,
 * a Response goes as it is, streams and async iterables are streamed, anything else is JSON.
 */
export type HandlerFunction = AnyBody["handle"];

/** A stateful handler: one object in each replica, constructed with the backend's arguments. */
export type HandlerClass<Args extends readonly unknown[] = readonly never[]> = new (...args: Args) => object;

/** What a handler that accepts batches gets beside its list. */
export interface BatchContext {
  /** Aborts when nobody waits for any result of the batch any more. */
  readonly signal: AbortSignal;
}

/** A function that takes a list of requests and returns a list of as many results, any of which may be an Error or a promise. */
export type BatchFunction = AnyBody["handleAll"];

/** Written as methods, so that handlers of requests with any JSON body are among them. */
interface AnyBody {
  handle(request: HandlerRequest): unknown;
  handleAll(requests: readonly HandlerRequest[], batch: BatchContext): readonly unknown[] | Promise<readonly unknown[]>;
}

/**
 * The property of a Response that holds what its body is made of, for a replica, which then reads it without a stream between:
 * a value of type ResponsePieces.
 */
export const RESPONSE_PIECES: unique symbol = Symbol.for("headgate.responsePieces");

/** What a Response's body is made of. */
export interface ResponsePieces {
  readonly iterator: AsyncIterator<unknown>;
  /** A piece as text. */
  readonly encode: (piece: unknown) => string;
}

/** A handler that says of itself that it takes lists of requests. */
export interface AcceptsBatches {
  readonly acceptsBatches: true;
}

/** A handler as an export of a module, which imports what it likes. */
export interface HandlerReference {
  readonly kind: "module";
  /** A .ts, .mts, .js or .mjs file; a relative path starts at the instance's root. */
  readonly path: string;
  readonly exportName: string;
}

/** A handler as a program in any language: Headgate starts it, it registers itself. */
export interface HandlerCommand {
  /** Program and arguments; no shell is involved. */
  readonly command: readonly string[];
}

/**
 * Names a handler in a module so that the compiler checks the export:
 * `handler<typeof import("./handlers.ts")>("./handlers.ts", "predict")`.
 */
export function handler<Module extends object>(
  path: string,
  exportName: Extract<keyof Module, string> | "default" = "default",
): HandlerReference {
  return { kind: "module", path, exportName };
}

/** Marks a function as one that takes a list of requests and returns a list of equal length. Returns the same function. */
export function batched<F extends BatchFunction>(call: F): F & AcceptsBatches {
  return Object.assign(call, { acceptsBatches: true as const });
}

// Handles: requests to an endpoint from a program, by the same router that the HTTP bridge is built on.

import { HeadgateError, LIMITS, type Fault, fault } from "@headgate/core";
import { Call, type CallSink } from "./call.ts";
import type { LiveEndpoint, Router } from "./router.ts";

/** How a handle reaches its endpoint. */
export interface HandleOptions {
  /** Method of the class to call; default "handle". */
  readonly method?: string;
  /** Requests with the same key go to the same backend. */
  readonly shardKey?: string;
}

/** One request of a handle. */
export interface SendOptions {
  /** Aborts the request. */
  readonly signal?: AbortSignal;
  /** Deadline in milliseconds; default and most: the endpoint's requestTimeoutMs. */
  readonly timeoutMs?: number;
  /** Header fields for the handler. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Path and query for the handler; default "/". */
  readonly path?: string;
}

/** Sends requests to one endpoint. */
export interface Handle {
  /**
   * Sends one request and resolves with the handler's answer, whatever its status. A string goes as text, bytes as they
   * are, anything else as JSON; nothing at all as a GET. Rejects with a HeadgateError where there is no answer.
   */
  send(body?: unknown, options?: SendOptions): Promise<Response>;
}

let count = 0;

/** Makes a handle. The endpoint is looked up at each request: it may come, change and go meanwhile. */
export function makeHandle(router: Router, endpointName: string, options: HandleOptions = {}): Handle {
  return {
    send: (body, request = {}) =>
      new Promise<Response>((resolve, reject) => {
        const endpoint = router.table?.endpoint(endpointName);
        if (endpoint === undefined) {
          reject(new HeadgateError(fault("endpoint_not_found", `there is no endpoint "${endpointName}"`, { endpoint: endpointName })));
          return;
        }
        if (request.signal?.aborted) {
          reject(cancelled());
          return;
        }
        send(router, endpoint, options, body, request, resolve, reject);
      }),
  };
}

function send(
  router: Router,
  endpoint: LiveEndpoint,
  options: HandleOptions,
  body: unknown,
  request: SendOptions,
  resolve: (response: Response) => void,
  reject: (error: HeadgateError) => void,
): void {
  const { bytes, type } = encodeBody(body);
  const headers = type === "" ? [] : ["content-type", type];
  for (const [name, value] of Object.entries(request.headers ?? {})) headers.push(name.toLowerCase(), value);
  const timeoutMs = Math.min(request.timeoutMs ?? endpoint.requestTimeoutMs, endpoint.requestTimeoutMs);
  const abort = (): void => {
    router.abandon(call);
    sink.abort();
  };
  const sink = new ResponseSink(
    (bytesTaken) => router.consumed(call, bytesTaken),
    () => router.abandon(call),
    resolve,
    reject,
    () => request.signal?.removeEventListener("abort", abort),
  );
  const call: Call = new Call(
    endpoint.name,
    bytes === null ? "GET" : "POST",
    request.path ?? "/",
    headers,
    `h-${process.pid.toString(36)}-${(count++).toString(36)}`,
    performance.now() + timeoutMs,
    sink,
  );
  call.callMethod = options.method ?? "";
  if (bytes !== null) {
    for (let at = 0; at < bytes.length; at += LIMITS.bodyChunkBytes) call.pieces.push(bytes.subarray(at, at + LIMITS.bodyChunkBytes));
  }
  request.signal?.addEventListener("abort", abort, { once: true });
  router.dispatch(endpoint, call, options.shardKey ?? null);
}

function encodeBody(body: unknown): { readonly bytes: Buffer | null; readonly type: string } {
  if (body === undefined) return { bytes: null, type: "" };
  if (typeof body === "string") return { bytes: Buffer.from(body, "utf8"), type: "text/plain; charset=utf-8" };
  if (body instanceof Uint8Array)
    return { bytes: Buffer.from(body.buffer, body.byteOffset, body.byteLength), type: "application/octet-stream" };
  const json = JSON.stringify(body);
  if (json === undefined) throw new HeadgateError(fault("invalid_argument", "the body cannot be sent: it has no JSON form"));
  return { bytes: Buffer.from(json, "utf8"), type: "application/json" };
}

const cancelled = (): HeadgateError => new HeadgateError(fault("cancelled", "the request was aborted"));

/** Makes a web-standard Response of an answer. */
class ResponseSink implements CallSink {
  readonly #consumed: (bytes: number) => void;
  readonly #abandon: () => void;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: HeadgateError) => void;
  readonly #settled: () => void;
  #stream: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Bytes that the reader has not asked for yet. */
  #owed: number[] = [];

  constructor(
    consumed: (bytes: number) => void,
    abandon: () => void,
    resolve: (response: Response) => void,
    reject: (error: HeadgateError) => void,
    settled: () => void,
  ) {
    this.#consumed = consumed;
    this.#abandon = abandon;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#settled = settled;
  }

  head(status: number, headers: readonly string[], body: Buffer | null, end: boolean): void {
    const fields = new Headers();
    for (let i = 0; i + 1 < headers.length; i += 2) fields.append(headers[i] ?? "", headers[i + 1] ?? "");
    const empty = status === 204 || status === 304;
    if (end) {
      this.#settled();
      this.#resolve(new Response(empty || body === null ? null : new Uint8Array(body), { status, headers: fields }));
      return;
    }
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller;
      },
      pull: () => {
        const bytes = this.#owed.shift();
        if (bytes !== undefined) this.#consumed(bytes);
      },
      cancel: () => {
        this.#settled();
        this.#abandon();
      },
    });
    this.#resolve(new Response(empty ? null : stream, { status, headers: fields }));
    this.body(body, false);
  }

  body(piece: Buffer | null, end: boolean): void {
    if (piece !== null && piece.length > 0) {
      this.#owed.push(piece.length);
      this.#stream?.enqueue(new Uint8Array(piece));
    }
    if (!end) return;
    this.#settled();
    this.#stream?.close();
  }

  fault(failure: Fault): void {
    this.#fail(new HeadgateError(failure));
  }

  abort(): void {
    this.#fail(cancelled());
  }

  writable(): void {
    // The body is whole from the start.
  }

  #fail(error: HeadgateError): void {
    this.#settled();
    if (this.#stream === null) this.#reject(error);
    else this.#stream.error(error);
  }
}

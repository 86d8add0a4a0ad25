// The request as a handler sees it: a web-standard Request, made only as far as it is looked at.
// `new Request` costs more than all else a small request does; this object costs a few fields until something is asked for.
// What is rarely asked for (clone, blob, formData, mode, …) comes from a real Request, made then.

import {
  type Handle,
  type HandleOptions,
  HeadgateError,
  LIMITS,
  type WebSocketAcceptOptions,
  type WebSocketConnection,
  fault,
  headersOf,
  trailerProblem,
} from "@headgate/core";
import type { EncodedHeaders, RequestHeadView } from "@headgate/proto/wire";
import type { Cancellation } from "./cancellation.ts";
import type { Composition } from "./compose.ts";
import type { RequestBody } from "./request-body.ts";
import { encodeFields } from "./result.ts";

/** What the request needs of its call. */
export interface RequestSource {
  readonly head: RequestHeadView;
  readonly body: RequestBody;
  /** How it may end before it is answered. Made at the first look. */
  readonly cancellation: Cancellation;
  /** On performance.now()'s scale; Infinity: none. */
  readonly deadlineMs: number;
  /** Fields behind the answer's body, names and values in turn; null: none. */
  trailers: string[] | null;
  /** Accepts the WebSocket that the head asks for. */
  accept(protocol: string, headers: EncodedHeaders): WebSocketConnection;
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** A Request with route parameters. `instanceof Request` holds. */
export class LazyRequest {
  readonly #source: RequestSource;
  readonly #composition: Composition;
  #headers: Headers | undefined;
  #params: Readonly<Record<string, string>> | undefined;
  #url: string | undefined;
  #method: string | undefined;
  #real: Request | undefined;

  constructor(source: RequestSource, composition: Composition) {
    this.#source = source;
    this.#composition = composition;
  }

  get method(): string {
    this.#method ??= this.#source.head.method;
    return this.#method;
  }

  get url(): string {
    if (this.#url === undefined) {
      // There may be none, or an empty one.
      const host = this.headers.get("host") || "localhost";
      const { secure, target } = this.#source.head;
      this.#url = `${secure ? "https" : "http"}://${host}${target}`;
    }
    return this.#url;
  }

  get headers(): Headers {
    this.#headers ??= headersOf(this.#source.head.headers);
    return this.#headers;
  }

  /** Parameters of the route, such as `id` of "/items/:id"; "*" for a wildcard. */
  get params(): Readonly<Record<string, string>> {
    if (this.#params === undefined) {
      const pairs = this.#source.head.params;
      if (pairs.length === 0) this.#params = NO_PARAMS;
      else {
        const params: Record<string, string> = Object.create(null);
        for (let i = 0; i + 1 < pairs.length; i += 2) params[pairs[i] ?? ""] = pairs[i + 1] ?? "";
        this.#params = params;
      }
    }
    return this.#params;
  }

  /** Id of the request, as the caller and the logs see it. */
  get requestId(): string {
    return this.#source.head.requestId;
  }

  get isShadow(): boolean {
    return this.#source.head.shadow;
  }

  handle(endpoint: string, options?: HandleOptions): Handle {
    return this.#composition.handlesOf(this.#source)(endpoint, options);
  }

  get isWebSocket(): boolean {
    return this.#source.head.websocket;
  }

  get webSocketProtocols(): readonly string[] {
    const offered = this.isWebSocket ? this.headers.get("sec-websocket-protocol") : null;
    return offered === null ? [] : offered.split(",").map((name) => name.trim());
  }

  acceptWebSocket({ protocol = "", headers }: WebSocketAcceptOptions = {}): WebSocketConnection {
    if (!this.isWebSocket) throw new HeadgateError(fault("upgrade_required", "this is served over WebSocket alone"));
    const fields: string[] = [];
    for (const [name, value] of new Headers(headers)) fields.push(name, value);
    if (protocol !== "") {
      const offered = this.webSocketProtocols;
      if (!offered.includes(protocol))
        throw new TypeError(`the caller offers ${offered.join(", ") || "no subprotocol"}, not "${protocol}"`);
      fields.push("sec-websocket-protocol", protocol);
    }
    return this.#source.accept(protocol, encodeFields(fields));
  }

  /** Aborts when the caller is gone or the deadline has passed. */
  get signal(): AbortSignal {
    return this.#source.cancellation.signal();
  }

  /** Milliseconds that are left until the deadline. */
  get remainingMs(): number {
    return Math.max(0, this.#source.deadlineMs - performance.now());
  }

  /** Fields behind the request's body, once it has been read to its end. */
  get trailers(): Promise<Headers> {
    return this.#source.body.trailers();
  }

  /** Adds a field behind the answer's body. Throws invalid_argument where it cannot stand there. */
  setTrailer(name: string, value: string): void {
    const lower = String(name).toLowerCase();
    const trailers = (this.#source.trailers ??= []);
    const problem = trailerProblem(lower, String(value));
    if (problem !== null) throw refused(`"${lower.slice(0, 100)}" cannot be a trailer: ${problem}`);
    const bytes = trailers.reduce((sum, text) => sum + text.length, lower.length + String(value).length);
    if (trailers.length >= 2 * LIMITS.headerFields || bytes > LIMITS.headerBytes) {
      throw refused(`there can be at most ${LIMITS.headerFields} trailers of ${LIMITS.headerBytes} bytes in all`);
    }
    trailers.push(lower, String(value));
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.method === "GET" || this.method === "HEAD") return null;
    return this.#source.body.stream();
  }

  get bodyUsed(): boolean {
    return this.#source.body.used;
  }

  get duplex(): "half" {
    return "half";
  }

  async text(): Promise<string> {
    return decodeText(await this.#source.body.all());
  }

  async json(): Promise<unknown> {
    return JSON.parse(decodeText(await this.#source.body.all()));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.#source.body.copy()).buffer;
  }

  async bytes(): Promise<Uint8Array> {
    return this.#source.body.copy();
  }

  blob(): Promise<Blob> {
    return this.#asReal().blob();
  }

  formData(): Promise<FormData> {
    return this.#asReal().formData();
  }

  /** A real Request with the same content, which can be handed to fetch(). */
  clone(): Request {
    return this.#asReal().clone();
  }

  get cache(): Request["cache"] {
    return this.#asReal().cache;
  }
  get credentials(): Request["credentials"] {
    return this.#asReal().credentials;
  }
  get destination(): Request["destination"] {
    return this.#asReal().destination;
  }
  get integrity(): string {
    return this.#asReal().integrity;
  }
  get keepalive(): boolean {
    return this.#asReal().keepalive;
  }
  get mode(): Request["mode"] {
    return this.#asReal().mode;
  }
  get redirect(): Request["redirect"] {
    return this.#asReal().redirect;
  }
  get referrer(): string {
    return this.#asReal().referrer;
  }
  get referrerPolicy(): Request["referrerPolicy"] {
    return this.#asReal().referrerPolicy;
  }

  #asReal(): Request {
    this.#real ??= new Request(this.url, {
      method: this.method,
      headers: this.headers,
      body: this.body,
      signal: this.signal,
      duplex: "half",
    });
    return this.#real;
  }
}

// So that `request instanceof Request` holds for handlers and the libraries they use.
Object.setPrototypeOf(LazyRequest.prototype, Request.prototype);

const refused = (message: string): HeadgateError => new HeadgateError(fault("invalid_argument", message, { field: "trailer" }));

function decodeText(bytes: Buffer): string {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  return bytes.toString("utf8", start);
}

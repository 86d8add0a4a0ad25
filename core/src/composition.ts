// Handles as authors of handlers and of programs see them: how an endpoint is called and what comes back, by the type of the
// endpoint's handler. Types alone; how a call goes its way stands in client/src/requester.ts.

import type { HandlerRequest } from "./handler.ts";

/** How a handle reaches its endpoint. */
export interface HandleOptions {
  /** Method of the class to call; default "handle". */
  readonly method?: string;
  /** Requests with the same key go to the same backend. 1 to 256 bytes. */
  readonly shardKey?: string;
}

/** One request of a handle. */
export interface SendOptions {
  /** Aborts the request. Inside of a handler the signal of the request in hand does so too. */
  readonly signal?: AbortSignal;
  /** Deadline in milliseconds; default and most: the endpoint's requestTimeoutMs, and what is left of the request in hand. */
  readonly timeoutMs?: number;
  /** Header fields for the handler. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Path and query for the handler; default "/". */
  readonly path?: string;
}

/**
 * Sends requests to one endpoint. `H` is the type of its handler, `typeof predict` or `typeof Greeter`; without it nothing is known of
 * what goes in and what comes back.
 *
 * A body that is a string goes as text, bytes as they are, a stream or async iterable piece by piece as the handler reads, anything else
 * as JSON; nothing at all as a GET.
 */
export interface Handle<H = unknown> {
  /**
   * Calls the handler and resolves with what it returned. Rejects with a HeadgateError, whose `requestId` the logs have too, where there is
   * no answer and where the answer is an error: with the code of the fault that it tells of, else with handler_error and
   * `details.status`.
   */
  call(...args: CallArguments<Called<H>>): Promise<CallResult<Called<H>>>;
  /** The class's methods as functions: each calls the method of its name as call() calls the handler. */
  readonly methods: HandleMethods<H>;
  /** Sends one request and resolves with the handler's answer, whatever its status. Rejects with a HeadgateError where there is none. */
  send(body?: unknown, options?: SendOptions): Promise<Response>;
}

/** Where handles come from: a request that a handler has in hand, or an instance. */
export interface Handles {
  /** A handle of an endpoint, which is looked up at each request: it may come, change and go meanwhile. */
  handle(endpoint: string, options?: HandleOptions): Handle;
  handle<H>(endpoint: string, options?: Omit<HandleOptions, "method">): Handle<H>;
}

type AnyClass = abstract new (...args: never) => object;
type AnyFunction = (...args: never) => unknown;

/** The function that answers a request for a handler: itself, or its class's `handle`. */
type Called<H> = H extends AnyClass ? (InstanceType<H> extends { handle: infer F } ? F : never) : H;

/** The first parameter of a function; of a list of requests one of them. */
type RequestOf<F> = F extends (...args: infer P) => unknown
  ? P extends readonly [(infer R)?, ...unknown[]]
    ? R extends readonly (infer One)[]
      ? One
      : R
    : unknown
  : unknown;

/** What the handler reads with `request.json()`; unknown where it does not say. */
type JsonOf<F> = RequestOf<F> extends HandlerRequest<infer Body> ? Body : unknown;

/**
 * What a call takes: the JSON body that the handler declares as HandlerRequest<Body>, and anything where it declares none. A declared
 * string is none that could be given: a string goes as text, which `request.json()` would not read.
 */
export type CallArguments<F> =
  unknown extends JsonOf<F>
    ? [body?: unknown, options?: SendOptions]
    : undefined extends JsonOf<F>
      ? [body?: Exclude<JsonOf<F>, string>, options?: SendOptions]
      : [body: Exclude<JsonOf<F>, string>, options?: SendOptions];

/** What a call resolves with, by what the handler returns; of a list of results one of them. */
export type CallResult<F> = F extends (...args: infer P) => infer R
  ? P extends readonly [readonly unknown[], ...unknown[]]
    ? Awaited<R> extends readonly (infer One)[]
      ? Returned<Exclude<Awaited<One>, Error>>
      : unknown
    : Returned<Awaited<R>>
  : unknown;

/** A result as it comes back: docs/handlers.md's table, read from right to left. */
type Returned<R> = unknown extends R
  ? unknown
  : R extends undefined | null | void
    ? undefined
    : R extends Response
      ? Response
      : R extends ArrayBuffer | ArrayBufferView
        ? Uint8Array
        : R extends Blob
          ? unknown
          : R extends AsyncIterable<infer Item>
            ? AsyncIterable<ReturnedItem<Item>>
            : R extends Iterator<infer Item>
              ? AsyncIterable<ReturnedItem<Item>>
              : R;

type ReturnedItem<Item> = Item extends ArrayBuffer | Uint8Array ? Uint8Array : Item;

/** What can be called of a class. */
type CallableMethod =
  | ((request: HandlerRequest<never>) => unknown)
  | ((requests: readonly HandlerRequest<never>[], batch: never) => unknown);

type MethodNames<T> = {
  [K in keyof T]: K extends string ? (K extends "reconfigure" ? never : T[K] extends CallableMethod ? K : never) : never;
}[keyof T];

/** The methods of a class as functions that call them. */
export type HandleMethods<H> = unknown extends H
  ? Readonly<Record<string, (body?: unknown, options?: SendOptions) => Promise<unknown>>>
  : H extends AnyClass
    ? {
        readonly [K in MethodNames<InstanceType<H>>]: (
          ...args: CallArguments<InstanceType<H>[K]>
        ) => Promise<CallResult<InstanceType<H>[K]>>;
      }
    : H extends AnyFunction
      ? Readonly<Record<never, never>>
      : never;

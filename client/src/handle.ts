// A handle as it is held: an endpoint's name and a way to send requests to it. Small and apart from all that sends them, so that a process
// can hand handles out and load the rest with the first request.

import { HeadgateError, parseShardKey } from "@headgate/core";
import type { Handle, HandleMethods, HandleOptions, Handles, SendOptions } from "@headgate/core";

/** What a handle is bound to. */
export interface CallTarget {
  readonly endpoint: string;
  /** Method of the class; empty: "handle". */
  readonly method: string;
  readonly shardKey: string | null;
}

/** Sends requests. */
export interface CallWay {
  /** Resolves with what the handler returned. */
  call(target: CallTarget, body: unknown, options: SendOptions): Promise<unknown>;
  /** Resolves with the handler's answer. */
  send(target: CallTarget, body: unknown, options: SendOptions): Promise<Response>;
}

export { isCallFailure } from "./call-failure.ts";

const NO_OPTIONS: SendOptions = {};

/** Hands out handles that send by one way. */
export function handlesOf(way: CallWay): Handles["handle"] {
  return (endpoint: string, options?: HandleOptions): Handle => new EndpointHandle(way, endpoint, options);
}

function checkedKey(shardKey: unknown): string {
  const key = parseShardKey(shardKey);
  if (key.ok) return key.value;
  throw new HeadgateError(key.error);
}

/** A handle that knows nothing of its handler's type: the compiler alone does. */
class EndpointHandle implements Handle {
  readonly #way: CallWay;
  readonly #target: CallTarget;
  #methods: HandleMethods<unknown> | null = null;

  constructor(way: CallWay, endpoint: string, { method = "", shardKey }: HandleOptions = {}) {
    this.#way = way;
    this.#target = { endpoint, method, shardKey: shardKey === undefined ? null : checkedKey(shardKey) };
  }

  call(body?: unknown, options: SendOptions = NO_OPTIONS): Promise<unknown> {
    return this.#way.call(this.#target, body, options);
  }

  send(body?: unknown, options: SendOptions = NO_OPTIONS): Promise<Response> {
    return this.#way.send(this.#target, body, options);
  }

  get methods(): HandleMethods<unknown> {
    this.#methods ??= new Proxy<HandleMethods<unknown>>(Object.create(null), { get: (_, name) => this.#method(name) });
    return this.#methods;
  }

  #method(name: string | symbol): HandleMethods<unknown>[string] | undefined {
    // Not for await, which asks everything whether it is a promise.
    if (typeof name !== "string" || name === "then") return undefined;
    const target = { ...this.#target, method: name };
    return (body, options = NO_OPTIONS) => this.#way.call(target, body, options);
  }
}

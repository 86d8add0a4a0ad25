// One running instance as a program uses it: all calls of the control plane, handles, and its end.
// Where the instance comes from stands in start.ts; the wire stands in @headgate/client.

import {
  type Backend,
  type ControlClient,
  type ControlOptions,
  type Endpoint,
  type EndpointChange,
  type EndpointSettings,
  type InstanceStatus,
  type LogLine,
  type LogQuery,
  Requester,
  handlesOf,
} from "@headgate/client";
import { type BackendConfig, type HandlerFunction, type Handles, HeadgateError, type Refusal, type Result, refuse } from "@headgate/core";
import { InstanceSource } from "./instance-source.ts";
import { type HandlerInput, parseHandlerInput } from "./model/handler-input.ts";

/** What every call takes. */
export type CallOptions = Pick<ControlOptions, "signal">;

/** A backend as asked for: the full form of createBackend. */
export interface BackendOptions {
  readonly name: string;
  readonly handler: HandlerInput;
  /** Constructor arguments, for a class only: JSON values. */
  readonly args?: readonly unknown[];
  readonly config?: Partial<BackendConfig>;
}

/** A change of a backend; what is left out stays. */
export interface BackendUpdate {
  readonly config?: Partial<BackendConfig>;
  readonly handler?: HandlerInput;
  readonly args?: readonly unknown[];
  /** Start new processes even where nothing else changes, as after an edit of the handler's module. */
  readonly restart?: boolean;
}

/** An endpoint as asked for. One of `backend` and `traffic` is needed. */
export interface EndpointOptions extends EndpointSettings {
  /** The one backend that gets all requests. */
  readonly backend?: string;
  /** Weight by backend; the weights sum to 1. */
  readonly traffic?: Readonly<Record<string, number>>;
  /** HTTP path pattern, such as "/items/:id"; left out: reached by handles alone. */
  readonly route?: string | null;
  /** HTTP methods; default GET. */
  readonly methods?: readonly string[];
}

/** What listEndpoints says of an endpoint; getEndpoint says all. */
export type EndpointSummary = Pick<Endpoint, "route" | "methods" | "traffic"> & Partial<Pick<Endpoint, "shadows">>;

/** A running instance. Every call rejects with a HeadgateError that has `code`, `message`, `details` and `retryable`. */
export interface Instance extends AsyncDisposable, Handles {
  /** Where HTTP is served, such as "http://127.0.0.1:8000". */
  readonly httpUrl: string;
  /** Where HTTP/2 is served without TLS; null: it is not. */
  readonly h2cUrl: string | null;
  /** Where HTTP/1.1 and HTTP/2 are served over TLS; null: they are not. */
  readonly httpsUrl: string | null;
  /** Where the admin HTTP is served. */
  readonly adminUrl: string;
  /** Where the control plane is, such as "127.0.0.1:8001". */
  readonly controlAddress: string;
  /** Resolves when all replicas are constructed and registered. */
  createBackend(name: string, handler: HandlerFunction): Promise<Backend>;
  createBackend<Args extends readonly unknown[]>(
    name: string,
    handler: new (...args: Args) => object,
    ...args: NoInfer<Args>
  ): Promise<Backend>;
  createBackend(name: string, handler: HandlerInput, ...args: readonly unknown[]): Promise<Backend>;
  createBackend(backend: BackendOptions, options?: CallOptions): Promise<Backend>;
  updateBackend(name: string, update: BackendUpdate, options?: CallOptions): Promise<Backend>;
  getBackend(name: string, options?: CallOptions): Promise<Backend>;
  /** All backends by name. */
  listBackends(options?: CallOptions): Promise<Record<string, Backend>>;
  /** Resolves when its replicas are gone, to whether there was such a backend. */
  deleteBackend(name: string, options?: CallOptions & { readonly force?: boolean }): Promise<boolean>;
  /** Resolves when every bridge serves it. */
  createEndpoint(name: string, endpoint: EndpointOptions, options?: CallOptions): Promise<Endpoint>;
  updateEndpoint(name: string, update: EndpointChange, options?: CallOptions): Promise<Endpoint>;
  getEndpoint(name: string, options?: CallOptions): Promise<Endpoint>;
  /** All endpoints by name. */
  listEndpoints(options?: CallOptions): Promise<Record<string, EndpointSummary>>;
  /** Resolves to whether there was such an endpoint. Its backends stay. */
  deleteEndpoint(name: string, options?: CallOptions): Promise<boolean>;
  /** Replaces the whole split of an endpoint. */
  setTraffic(endpoint: string, weights: Readonly<Record<string, number>>, options?: CallOptions): Promise<Endpoint>;
  /** Copies a part of an endpoint's requests to a backend; 0 ends it. */
  shadowTraffic(endpoint: string, backend: string, proportion: number, options?: CallOptions): Promise<Endpoint>;
  /** The backend that requests with this shard key, in header, cookie or handle, go to by the split now in force. */
  whichBackend(endpoint: string, key: string, options?: CallOptions): Promise<string>;
  status(options?: CallOptions): Promise<InstanceStatus>;
  /** What replicas and bridges wrote. */
  logs(query?: LogQuery): AsyncIterable<LogLine>;
  /** Lets go of the instance: one that this program started ends, unless it is detached; any other goes on. */
  close(): Promise<void>;
  /** Drains and ends the instance. The desired state stays for the next start. */
  shutdown(options?: CallOptions & { readonly force?: boolean }): Promise<void>;
}

/** What an instance is made of. */
export interface InstanceParts {
  readonly control: ControlClient;
  readonly httpUrl: string;
  readonly h2cUrl: string | null;
  readonly httpsUrl: string | null;
  readonly adminUrl: string;
  readonly controlAddress: string;
  readonly token: string;
  /** Resolves when the controller's process has ended; undefined where that cannot be seen from here. */
  readonly ended?: (() => Promise<unknown>) | undefined;
  /** Whether it ends with this program. */
  readonly owned: boolean;
  /** Lets a controller of ours go on without holding this program. */
  readonly release?: (() => void) | undefined;
}

const ENDPOINT_CHANGES = new Set(["route", "methods", "requestTimeoutMs", "maxBodyBytes", "cors", "affinity", "matches", "previewHeader"]);
const ENDPOINT_FIELDS = new Set(["backend", "traffic", ...ENDPOINT_CHANGES]);
const BACKEND_FIELDS = new Set(["name", "handler", "args", "config"]);
const BACKEND_CHANGES = new Set(["handler", "args", "config", "restart"]);

function checked<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new HeadgateError(result.error);
}

/** Refuses fields that do not exist, by name: callers in JavaScript have no compiler that does. */
function knownFields(what: string, value: unknown, known: ReadonlySet<string>): void {
  if (typeof value !== "object" || value === null) refuse("invalid_argument", `${what} must be an object`);
  for (const field of Object.keys(value)) {
    if (!known.has(field)) refuse("unknown_field", `${what} has no field "${field}"; its fields are ${[...known].join(", ")}`, { field });
  }
}

/** An instance over its parts. */
export function makeInstance(parts: InstanceParts): Instance {
  const { control, httpUrl, h2cUrl, httpsUrl, adminUrl, controlAddress, token } = parts;
  const source = new InstanceSource({ controlAddress, token });
  const release = (): void => {
    source.close();
    control.close();
  };
  const shutdown = async (options?: CallOptions & { readonly force?: boolean }): Promise<void> => {
    try {
      await control.shutdown(options);
      await parts.ended?.();
    } finally {
      // Where the controller is gone already, there is still this program to be let go of.
      release();
    }
  };
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    if (closed === undefined) {
      if (parts.owned) closed = shutdown();
      else {
        release();
        parts.release?.();
        closed = Promise.resolve();
      }
    }
    return closed;
  };

  async function createBackend(first: string | BackendOptions, ...rest: readonly unknown[]): Promise<Backend> {
    if (typeof first !== "string") {
      knownFields("a backend", first, BACKEND_FIELDS);
      // The full form's second argument, by its overload.
      const options = rest[0] as CallOptions | undefined;
      return control.createBackend({ ...first, handler: checked(parseHandlerInput(first.handler)) }, options);
    }
    const [input, ...args] = rest;
    return control.createBackend({ name: first, handler: checked(parseHandlerInput(input)), args });
  }

  return {
    httpUrl,
    h2cUrl,
    httpsUrl,
    adminUrl,
    controlAddress,
    createBackend,
    async updateBackend(name, update, options) {
      knownFields("a change of a backend", update, BACKEND_CHANGES);
      const { handler, ...others } = update;
      const change = handler === undefined ? others : { ...others, handler: checked(parseHandlerInput(handler)) };
      return control.updateBackend(name, change, options);
    },
    getBackend: (name, options) => control.getBackend(name, options),
    listBackends: async (options) => Object.fromEntries((await control.listBackends(options)).map((backend) => [backend.name, backend])),
    deleteBackend: (name, options) => control.deleteBackend(name, options),
    async createEndpoint(name, endpoint, options) {
      knownFields("an endpoint", endpoint, ENDPOINT_FIELDS);
      const { backend, traffic, ...others } = endpoint;
      if ((backend === undefined) === (traffic === undefined)) {
        refuse(
          "invalid_argument",
          'an endpoint needs either a backend or traffic, such as { backend: "name" } or { traffic: { name: 1 } }',
          { field: "backend" },
        );
      }
      return control.createEndpoint({ name, ...others, traffic: traffic ?? (backend === undefined ? {} : { [backend]: 1 }) }, options);
    },
    async updateEndpoint(name, update, options) {
      knownFields("a change of an endpoint", update, ENDPOINT_CHANGES);
      return control.updateEndpoint(name, update, options);
    },
    getEndpoint: (name, options) => control.getEndpoint(name, options),
    listEndpoints: async (options) =>
      Object.fromEntries((await control.listEndpoints(options)).map((endpoint) => [endpoint.name, summary(endpoint)])),
    deleteEndpoint: (name, options) => control.deleteEndpoint(name, options),
    setTraffic: (endpoint, weights, options) => control.setTraffic(endpoint, weights, options),
    shadowTraffic: (endpoint, backend, proportion, options) => control.setShadow(endpoint, backend, proportion, options),
    whichBackend: (endpoint, key, options) => control.whichBackend(endpoint, key, options),
    handle: handlesOf(new Requester(source, null)),
    status: (options) => control.status(options),
    logs: (query) => control.logs(query),
    close,
    shutdown: (options) => (closed ??= shutdown(options)),
    [Symbol.asyncDispose]: close,
  };
}

function summary({ route, methods, traffic, shadows }: Endpoint): EndpointSummary {
  return Object.keys(shadows).length === 0 ? { route, methods, traffic } : { route, methods, traffic, shadows };
}

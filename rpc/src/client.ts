// The client's side of a gRPC connection: one channel, and typed clients on it with faults, the bearer token and a
// default deadline. Retrying is not done here: only a caller knows whether a repeat is safe.

import { ChannelCredentials } from "@grpc/grpc-js";
import { HeadgateError, LIMITS, fault } from "@headgate/core";
import { type Channel, Metadata, type RawClient, createChannel, createClientFactory, waitForChannelReady } from "nice-grpc";
import type { CallOptions, ClientMiddlewareCall, CompatServiceDefinition, NormalizedServiceDefinition } from "nice-grpc";
import { faultsClientMiddleware } from "./faults.ts";

/** Where to connect, and as whom. */
export interface ChannelConfig {
  /** "HOST:PORT" or "unix:PATH". */
  readonly address: string;
  /** Bearer token; undefined: none is sent. */
  readonly token?: string | undefined;
  /** Deadline of unary calls that set none with `timeoutMs`, in milliseconds; undefined or 0: none. */
  readonly defaultTimeoutMs?: number | undefined;
}

/** Options of each call beside those of nice-grpc. */
export interface CallTimeout {
  /** Deadline of this call, in milliseconds; 0: none. */
  readonly timeoutMs?: number;
}

/** A typed client of a service, whose calls take `{ signal, timeoutMs }`. */
export type RpcClient<Service extends CompatServiceDefinition> = RawClient<NormalizedServiceDefinition<Service>, CallTimeout>;

/** An open connection. */
export interface RpcChannel extends Disposable {
  /** A typed client of a service over this connection. */
  client<Service extends CompatServiceDefinition>(definition: Service): RpcClient<Service>;
  /** Resolves when the connection stands; rejects with controller_unavailable after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void>;
  close(): void;
}

/** A gRPC target of an address: "unix:PATH" is written so that no port is added to it. */
export function targetOf(address: string): string {
  return address.startsWith("unix:/") && !address.startsWith("unix://") ? `unix://${address.slice("unix:".length)}` : address;
}

/** Options of every connection of ours: message limit, keepalive, quick reconnects (all is on one host or near). */
export const CHANNEL_OPTIONS = {
  "grpc.max_receive_message_length": LIMITS.grpcMessageBytes,
  "grpc.max_send_message_length": LIMITS.grpcMessageBytes,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.initial_reconnect_backoff_ms": 50,
  // Despite its name the time that one attempt to connect may take: a busy machine needs more than a moment.
  "grpc.min_reconnect_backoff_ms": 5_000,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.enable_http_proxy": 0,
  "grpc.use_local_subchannel_pool": 1,
} as const;

function bearerMiddleware(token: string | undefined) {
  return async function* bearer<Request, Response>(
    call: ClientMiddlewareCall<Request, Response>,
    options: CallOptions,
  ): AsyncGenerator<Response, Response | void, undefined> {
    if (token === undefined) return yield* call.next(call.request, options);
    const metadata = Metadata(options.metadata).set("authorization", `Bearer ${token}`);
    return yield* call.next(call.request, { ...options, metadata });
  };
}

function deadlineMiddleware(defaultTimeoutMs: number) {
  return async function* deadline<Request, Response>(
    call: ClientMiddlewareCall<Request, Response>,
    options: CallOptions & CallTimeout,
  ): AsyncGenerator<Response, Response | void, undefined> {
    const { timeoutMs, ...rest } = options;
    // A stream lives until someone ends it: only what it is told to do bounds it.
    const limit = timeoutMs ?? (call.requestStream || call.responseStream ? 0 : defaultTimeoutMs);
    if (limit <= 0) return yield* call.next(call.request, rest);
    const timer = AbortSignal.timeout(limit);
    const signal = rest.signal === undefined ? timer : AbortSignal.any([rest.signal, timer]);
    try {
      return yield* call.next(call.request, { ...rest, signal });
    } catch (error) {
      if (!timer.aborted || rest.signal?.aborted === true) throw error;
      throw new HeadgateError(
        fault("deadline_exceeded", `the controller did not answer ${call.method.path} within ${limit} ms`, { limit: "timeoutMs" }),
        { cause: error },
      );
    }
  };
}

/** Opens a connection; nothing is sent before the first call. */
export function openChannel(config: ChannelConfig): RpcChannel {
  const channel: Channel = createChannel(targetOf(config.address), ChannelCredentials.createInsecure(), { ...CHANNEL_OPTIONS });
  // nice-grpc calls the middleware that was added last first: the deadline bounds all, then faults, then the token.
  const factory = createClientFactory()
    .use(bearerMiddleware(config.token))
    .use(faultsClientMiddleware)
    .use(deadlineMiddleware(config.defaultTimeoutMs ?? 0));
  const close = (): void => channel.close();
  return {
    client: <Service extends CompatServiceDefinition>(definition: Service): RpcClient<Service> => factory.create(definition, channel),
    async ready(timeoutMs) {
      try {
        await waitForChannelReady(channel, new Date(Date.now() + timeoutMs));
      } catch (cause) {
        throw new HeadgateError(
          fault("controller_unavailable", `nothing answers at ${config.address}; is the instance running?`, { address: config.address }),
          { cause },
        );
      }
    },
    close,
    [Symbol.dispose]: close,
  };
}

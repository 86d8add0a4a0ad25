// The server's side: the same services on several addresses, with faults as the outermost middleware of every call.
// What the services do, and who may call them, is the caller's matter.

import { rmSync } from "node:fs";
import { HeadgateError, LIMITS, fault } from "@headgate/core";
import { type Server, createServer } from "nice-grpc";
import { targetOf } from "./client.ts";
import { faultsServerMiddleware } from "./faults.ts";

const SERVER_OPTIONS = {
  "grpc.max_receive_message_length": LIMITS.grpcMessageBytes,
  // Routing tables may be larger than what callers may send.
  "grpc.max_send_message_length": -1,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_concurrent_streams": LIMITS.sessionStreams,
} as const;

/** What a server is made of. */
export interface RpcServerParts {
  /** "HOST:PORT" (port 0: any free one) or "unix:PATH". */
  readonly addresses: readonly string[];
  /** Adds the services; called once for each address. */
  readonly services: (server: Server) => void;
  /** Hears of errors that are hidden from callers. */
  readonly onUnexpected: (error: unknown, path: string) => void;
}

/** A server that listens. */
export interface RpcServer extends AsyncDisposable {
  /** The port of each address, in order; 0 for a socket file. */
  readonly ports: readonly number[];
  /** Takes no new calls and waits for those there are, at most `timeoutMs`; then ends them. */
  close(timeoutMs: number): Promise<void>;
}

/** Listens on all addresses, or on none. Rejects with port_taken or start_failed. */
export async function listenRpc(parts: RpcServerParts): Promise<RpcServer> {
  const servers: Server[] = [];
  const ports: number[] = [];
  try {
    for (const address of parts.addresses) {
      const server = createServer({ ...SERVER_OPTIONS }).use(faultsServerMiddleware(parts.onUnexpected));
      parts.services(server);
      const isSocket = address.startsWith("unix:");
      // A socket file that a controller left when it was killed; whoever calls holds the state directory's lock.
      if (isSocket) rmSync(address.slice("unix:".length), { force: true });
      ports.push(await listen(server, address));
      if (isSocket) ports[ports.length - 1] = 0;
      servers.push(server);
    }
  } catch (error) {
    for (const server of servers) server.forceShutdown();
    throw error;
  }
  const close = async (timeoutMs: number): Promise<void> => {
    const late = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref());
    await Promise.race([Promise.all(servers.map((server) => server.shutdown().catch(() => undefined))), late]);
    for (const server of servers) server.forceShutdown();
  };
  return { ports, close, [Symbol.asyncDispose]: () => close(1_000) };
}

async function listen(server: Server, address: string): Promise<number> {
  try {
    return await server.listen(targetOf(address));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const port = /:(\d+)$/.exec(address)?.[1];
    if (port !== undefined && /EADDRINUSE/.test(why)) {
      throw new HeadgateError(
        fault("port_taken", `port ${port} for the control plane is taken; choose another with --control-port, or 0 for any free one`, {
          port,
          flag: "--control-port",
        }),
        { cause },
      );
    }
    throw new HeadgateError(fault("start_failed", `cannot listen on ${address}: ${why}`, { address }), { cause });
  }
}

// The replica's gRPC server: ReplicaService at the address that the controller gave.

import { rmSync } from "node:fs";
import { type StreamServer, serveStreams } from "@headgate/rpc/stream-server";
import { Deadlines } from "./deadlines.ts";
import type { Runner } from "./runner.ts";
import { ReplicaSession } from "./session.ts";
import { UnaryCall } from "./unary.ts";

/** What callers of WebSockets hear of a replica that ends: open another one. */
const RESTARTS = { code: 1012, reason: "the service restarts" };

/** A running server. */
export interface ReplicaServer {
  /** Tells every bridge that nothing new is taken. */
  draining(): void;
  /** Ends every WebSocket: its caller is to open another one. */
  endSockets(): void;
  /** Ends every WebSocket, and every call after its last answer; resolves when the bridges have read it, or after this time at the latest. */
  finish(withinMs: number): Promise<void>;
}

/** Serves ReplicaService. Resolves when it listens. */
export async function serveReplica(address: string, runner: Runner): Promise<ReplicaServer> {
  const sessions = new Set<ReplicaSession>();
  const deadlines = new Deadlines();
  // What a process that ended badly left behind.
  if (address.startsWith("unix:")) rmSync(address.slice(5), { force: true });
  const server: StreamServer = await serveStreams(address, {
    "/headgate.v1.ReplicaService/Session": (call) => {
      const session = new ReplicaSession(runner, deadlines, call, (closed) => sessions.delete(closed));
      sessions.add(session);
      return session;
    },
    "/headgate.v1.ReplicaService/Handle": (call) => new UnaryCall(runner, deadlines, call),
  });
  const endSockets = (): void => {
    for (const session of sessions) session.endSockets(RESTARTS);
  };
  return {
    draining: () => {
      for (const session of sessions) session.draining();
    },
    endSockets,
    finish: async (withinMs) => {
      endSockets();
      // Answers of this turn go out before the end of their stream.
      await new Promise((resolve) => setImmediate(resolve));
      await server.finish(withinMs);
      server.destroy();
    },
  };
}

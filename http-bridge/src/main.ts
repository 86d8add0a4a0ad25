// A bridge process: wires boot, server, router and routing feed. The only place that reads the environment and signals.

import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { Router, RoutingFeed, type RoutingTable } from "@headgate/client/data-plane";
import { LIMITS } from "@headgate/core";
import { BridgeBoot } from "@headgate/proto/routing";
import type { BridgeState } from "./bridge-state.ts";
import { createBridgeServer } from "./server.ts";

/** One JSON line on standard output, which is the bridge's log. */
function log(level: "info" | "warn" | "error", msg: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ level, time: Date.now(), msg, ...facts })}\n`);
}

/** While it drains. */
const LOOK_FOR_IDLE_MS = 50;

const boot = BridgeBoot.fromJSON(JSON.parse(readFileSync(Number(process.env.HEADGATE_BOOT_FD ?? "3"), "utf8")));
const router = new Router();
const state: BridgeState = { draining: false };
const server = createBridgeServer(router, state);

/** Listens; resolves with the port. */
function listen(): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: boot.httpHost, port: boot.httpPort, reusePort: true, backlog: 1024 }, () => {
      server.off("error", reject);
      server.on("error", (error) => log("error", "the server failed", { error: error.message }));
      // An AddressInfo, as it listens on a port and not on a path.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function main(): Promise<void> {
  // On a given port it listens only when it has a table, as other bridges may be serving there already.
  const port = boot.httpPort === 0 ? await listen() : boot.httpPort;
  const feed = new RoutingFeed(
    boot.controlAddress,
    boot.token,
    { bridgeId: boot.bridgeId, httpPort: port },
    {
      table: async (table: RoutingTable) => {
        const taken = router.apply(table);
        // A table that comes while it drains opens no port anew.
        if (!server.listening && !state.draining) await listen();
        return taken;
      },
      drain: (timeoutMs) => void drain(timeoutMs),
      load: () => ({ inFlight: router.inFlight, memoryBytes: process.memoryUsage.rss() }),
      broken: (reason, fatal) => {
        if (fatal) log("error", "the controller refuses this bridge", { error: reason.message });
      },
    },
  );

  /** Finishes the requests there are, then ends. */
  async function drain(timeoutMs: number): Promise<void> {
    if (state.draining) return;
    state.draining = true;
    log("info", "draining");
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // A connection whose answer was under way has told its caller that it stays; it goes when the answer is out.
    setInterval(() => server.closeIdleConnections(), LOOK_FOR_IDLE_MS).unref();
    const late = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref());
    await Promise.race([closed, late]);
    feed.close();
    router.close();
    server.closeAllConnections();
    process.exit(0);
  }

  process.on("SIGTERM", () => void drain(LIMITS.drainTimeoutMs));
  // A terminal sends it to all processes of the group; when to end is the controller's decision.
  process.on("SIGINT", () => undefined);
  log("info", "bridge started", { bridge: boot.bridgeId, port });
}

main().catch((error: unknown) => {
  log("error", "the bridge cannot start", { error: error instanceof Error ? error.message : String(error) });
  process.exit(1);
});

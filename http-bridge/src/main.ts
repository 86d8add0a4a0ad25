// A bridge process: wires boot, server, router and routing feed. The only place that reads the environment and signals.

import { readFileSync } from "node:fs";
import { Router, RoutingFeed, type RoutingTable } from "@headgate/client/data-plane";
import { LIMITS } from "@headgate/core";
import { BridgeBoot } from "@headgate/proto/routing";
import type { BridgeState } from "./bridge-state.ts";
import { Intake } from "./intake.ts";
import { Listeners } from "./listeners.ts";
import { ReadAhead } from "./read-ahead.ts";
import { WebSockets } from "./websockets.ts";

/** One JSON line on standard output, which is the bridge's log. */
function log(level: "info" | "warn" | "error", msg: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ level, time: Date.now(), msg, ...facts })}\n`);
}

const boot = BridgeBoot.fromJSON(JSON.parse(readFileSync(Number(process.env.HEADGATE_BOOT_FD ?? "3"), "utf8")));
const router = new Router();
const state: BridgeState = { draining: false };
const sockets = new WebSockets();

/** How long before the end of a drain WebSockets that are still open are closed. */
const SOCKETS_END_MS = 5_000;

async function main(): Promise<void> {
  const listeners = await Listeners.make(
    {
      host: boot.httpHost,
      httpPort: boot.httpPort,
      h2cPort: boot.h2cPort ?? null,
      httpsPort: boot.httpsPort ?? null,
      certificate: { cert: boot.tlsCert, key: boot.tlsKey },
    },
    { router, intake: new Intake(router), state, sockets, ahead: new ReadAhead(), limits: LIMITS },
    log,
  );
  // On a given port it listens only when it has a table, as other bridges may be serving there already.
  await listeners.listenOnFree();
  const feed = new RoutingFeed(
    boot.controlAddress,
    boot.token,
    { bridgeId: boot.bridgeId, ...listeners.ports },
    {
      table: async (table: RoutingTable) => {
        const taken = router.apply(table);
        await router.warm();
        // A table that comes while it drains opens no port anew.
        if (!state.draining) await listeners.listen();
        return taken;
      },
      drain: (timeoutMs) => void drain(timeoutMs),
      load: () => ({ inFlight: router.inFlight, memoryBytes: process.memoryUsage.rss(), shadows: router.shadows }),
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
    sockets.drain();
    // Early enough for their callers' answers to the close.
    setTimeout(() => sockets.close(), Math.max(0, timeoutMs - SOCKETS_END_MS)).unref();
    const late = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref());
    await Promise.race([listeners.drain(), late]);
    feed.close();
    router.close();
    listeners.close();
    process.exit(0);
  }

  process.on("SIGTERM", () => void drain(LIMITS.drainTimeoutMs));
  // A terminal sends it to all processes of the group; when to end is the controller's decision.
  process.on("SIGINT", () => undefined);
  log("info", "bridge started", { bridge: boot.bridgeId, ...listeners.ports });
}

main().catch((error: unknown) => {
  log("error", "the bridge cannot start", { error: error instanceof Error ? error.message : String(error) });
  process.exit(1);
});

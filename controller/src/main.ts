// A controller process: wires state directory, store, cluster, bridges and servers. The only place that reads flags,
// environment and signals. Its ready report is one JSON line on the descriptor HEADGATE_READY_FD.

import { readFileSync, rmSync, writeSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Fault, HeadgateError, fault } from "@headgate/core";
import type { RpcServer } from "@headgate/rpc";
import { createAdminServer } from "./admin.ts";
import { type ApiParts, controllerService, instanceStatus } from "./api.ts";
import { attachmentService } from "./attachment.ts";
import { Bridges, portFault } from "./bridges.ts";
import { Cluster } from "./cluster.ts";
import { type Config, readConfig } from "./config.ts";
import { type ServedUrls, servedUrls } from "./model/listeners.ts";
import { LocalLauncher } from "./local-launcher.ts";
import { cutLogs } from "./logs.ts";
import { RoutingFeed } from "./routing-feed.ts";
import { serveRpc } from "./rpc-servers.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { checkTlsFiles } from "./tls-files.ts";
import { type InstanceFile, instancePid, openStateDir, removeInstanceFile, writeInstanceFile } from "./state-dir.ts";

const CUT_LOGS_MS = 10_000;

function log(level: "info" | "warn" | "error", msg: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ level, time: Date.now(), msg, ...facts })}\n`);
}

/** Tells whoever started this process. */
function report(message: { readonly progress: string } | { readonly ready: InstanceFile } | { readonly fault: Fault }): void {
  const fd = process.env.HEADGATE_READY_FD;
  if (fd === undefined) {
    if ("fault" in message) process.stderr.write(`headgate: ${message.fault.message}\n`);
    return;
  }
  try {
    writeSync(Number(fd), `${JSON.stringify(message)}\n`);
  } catch {
    // Whoever started this process no longer listens.
  }
}

const version = String(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version);

function listenAdmin(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(portFault("127.0.0.1", port, "admin-port", error)));
    // An AddressInfo, as it listens on a port and not on a path.
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

async function main(config: Config): Promise<void> {
  const startedAtMs = Date.now();
  checkTlsFiles(config.listeners);
  const dir = openStateDir(config.stateDir);
  const store = openSqliteStore(dir.storeFile, () => instancePid(dir));
  const { stored } = store;
  const controlSocket = join(dir.runDir, "control.sock");
  const launcher = new LocalLauncher({
    replicaMain: config.replicaMain,
    bridgeMain: config.bridgeMain,
    root: config.root,
    logDir: dir.logDir,
    cacheDir: dir.cacheDir,
    spares: config.spares,
  });

  const cluster = new Cluster({
    store,
    launcher,
    pool: {
      root: config.root,
      controlAddress: `unix:${controlSocket}`,
      address: (number) => `unix:${join(dir.runDir, `r-${stored.incarnation.toString(36)}-${number.toString(36)}.sock`)}`,
      constructorTimeoutMs: config.constructorTimeoutMs,
    },
    clock: { now: () => Date.now() },
    random: Math.random,
    log,
    feed: (onChange) => new RoutingFeed(stored.epoch, stored.incarnation, onChange),
  });
  const bridges = new Bridges({
    launcher,
    store,
    feed: cluster.feed,
    controlAddress: `unix:${controlSocket}`,
    log,
    changed: () => undefined,
  });

  let adminUrl = "";
  const urls = (): ServedUrls => servedUrls(bridges.listeners);
  let ending: Promise<void> | null = null;
  /** Ends everything but this process. */
  const shutdown = (force: boolean): Promise<void> => {
    ending ??= (async () => {
      log("info", "shutting down", { force });
      await bridges.drain(force);
      await cluster.endReplicas(force, AbortSignal.timeout(3_700_000));
      launcher.close();
      removeInstanceFile(dir);
      setTimeout(() => void end(), 50);
    })();
    return ending;
  };
  let rpc: RpcServer | null = null;
  const end = async (): Promise<void> => {
    await rpc?.close(500);
    store[Symbol.dispose]();
    rmSync(controlSocket, { force: true });
    process.exit(0);
  };
  const api: ApiParts = {
    cluster,
    bridges,
    store,
    root: config.root,
    logDir: dir.logDir,
    version,
    startedAtMs,
    urls: () => {
      const { httpUrl, h2cUrl, httpsUrl } = urls();
      return { httpUrl, h2cUrl: h2cUrl ?? "", httpsUrl: httpsUrl ?? "", adminUrl };
    },
    shutdown,
  };
  let adminPort: number;
  try {
    // Servers first, so that what is adopted and started can register at once.
    rpc = await serveRpc(
      {
        controller: controllerService(api),
        routing: bridges.service(),
        attachment: attachmentService(cluster),
        token: dir.token,
        bridgeOfToken: (token) => bridges.idOfToken(token),
        isReplicaToken: (token) => cluster.pool.knowsRoutingToken(token),
        healthy: () => bridges.ready,
        onUnexpected: (error, path) =>
          log("error", "a call failed", { path, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      },
      [`unix:${controlSocket}`, `127.0.0.1:${config.controlPort}`],
    );
    const admin = createAdminServer({ token: dir.token, healthy: () => bridges.ready, status: () => instanceStatus(api) });
    adminPort = await listenAdmin(admin, config.adminPort);
    await bridges.start(config.bridges, config.listeners, stored.bridges);
    cluster.start();
  } catch (error) {
    // Nothing half-made stays: what was adopted goes on as it was, what was started here ends.
    launcher.close();
    throw error;
  }
  const controlPort = rpc.ports[1] ?? 0;
  adminUrl = `http://127.0.0.1:${adminPort}`;
  launcher.fillSpares();
  setInterval(() => cutLogs(dir.logDir), CUT_LOGS_MS).unref();

  process.on("SIGTERM", () => void shutdown(false));
  process.on("SIGINT", () => void shutdown(false));
  if (config.lifeline) {
    process.stdin.resume();
    process.stdin.on("end", () => void shutdown(false));
    process.stdin.on("error", () => void shutdown(false));
  }

  report({ progress: "starting the HTTP bridge" });
  await until(() => bridges.ready || bridges.failure !== null);
  if (bridges.failure !== null) {
    const { code, message, details } = bridges.failure;
    report({ fault: fault(code, message, details) });
    await shutdown(true);
    return;
  }
  const instance: InstanceFile = {
    pid: process.pid,
    version,
    controlAddress: `127.0.0.1:${controlPort}`,
    ...urls(),
    adminUrl,
    root: config.root,
    startedAtMs,
  };
  writeInstanceFile(dir, instance);
  log("info", "ready", { ...instance });
  report({ ready: instance });
}

/** Bridges come up within a fraction of a second; looking every few milliseconds costs nothing beside that. */
async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 5));
}

try {
  await main(readConfig(process.argv.slice(2), process.env));
} catch (error) {
  const source = error instanceof HeadgateError ? error : null;
  if (source === null)
    log("error", "the controller cannot start", { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  const message = error instanceof Error ? error.message : String(error);
  report({ fault: source === null ? fault("start_failed", message) : fault(source.code, source.message, source.details) });
  process.exit(1);
}

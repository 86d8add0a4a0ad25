// A replica process: wires boot, handler, runner, server and attachment. The only place that reads the environment and signals.

import { readFileSync } from "node:fs";
import { HeadgateError } from "@headgate/core";
import { Boot, type Configure } from "@headgate/proto/attachment";
import type { Exception } from "@headgate/proto/fault";
import { backendSpecFromProto } from "@headgate/rpc/convert";
import { Attachment } from "./attachment.ts";
import { Composition } from "./compose.ts";
import { describeException } from "./exception.ts";
import { type LoadedHandler, loadHandler } from "./handler.ts";
import { createLog } from "./log.ts";
import { Runner } from "./runner.ts";
import { type ReplicaServer, serveReplica } from "./server.ts";

// A replica that was started ahead of its use waits here, everything loaded, until its boot arrives.
const boot = Boot.fromJSON(JSON.parse(readFileSync(Number(process.env.HEADGATE_BOOT_FD ?? "3"), "utf8")));
const log = createLog(boot.replicaId, boot.root);

/** How long before the end of a drain WebSockets that are still open are closed. */
const SOCKETS_END_MS = 500;

let handler: LoadedHandler | null = null;
let runner: Runner | null = null;
let server: ReplicaServer | null = null;

const attachment = new Attachment(boot, {
  configure,
  drain: async (withinMs) => {
    server?.draining();
    // Early enough for the bridges to read it.
    setTimeout(() => server?.endSockets(), Math.max(0, withinMs - SOCKETS_END_MS)).unref();
    await runner?.drain();
  },
  stop: (reason) => void stop(reason),
  load: () => runner?.load ?? { inFlight: 0, completed: 0 },
});

async function configure({ config, reconfigure, userConfig }: Configure): Promise<Exception | undefined> {
  try {
    if (config !== undefined) {
      runner?.configure({
        maxConcurrentQueries: config.maxConcurrentQueries ?? 1,
        maxBatchSize: config.maxBatchSize ?? null,
        batchWaitTimeoutMs: config.batchWaitTimeoutMs ?? 0,
        maxConcurrentBatches: config.maxConcurrentBatches ?? 1,
      });
    }
    if (reconfigure) await handler?.reconfigure(userConfig ?? null);
    return undefined;
  } catch (error) {
    log.exception("reconfigure() threw", "", error);
    return describeException(error, boot.root, "reconfigure_failed");
  }
}

async function main(): Promise<void> {
  const spec = backendSpecFromProto(boot.spec);
  if (!spec.ok) throw new HeadgateError(spec.error);
  handler = await loadHandler(spec.value, boot.root);
  const { controlAddress, routingToken } = boot;
  runner = new Runner(handler, spec.value.config, log, new Composition({ controlAddress, routingToken, backend: spec.value.name }));
  server = await serveReplica(boot.listenAddress, runner);
  attachment.ready({ session: true, direct: true, acceptsBatches: handler.acceptsBatches, methods: [...handler.methods] });
  log.info("ready");
}

/** How long the bridges have to read the last answers. */
const FINISH_MS = 1_000;
let stopping = false;

/** Ends the process, the handler's object disposed of. */
async function stop(reason: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info("stopping", { reason });
  const finished = server?.finish(FINISH_MS);
  // A handler's clean-up must not keep the process.
  setTimeout(() => process.exit(0), 2_000).unref();
  try {
    await handler?.dispose();
  } catch (error) {
    log.exception("the handler's dispose threw", "", error);
  }
  await finished;
  process.exit(0);
}

process.on("SIGTERM", () => void stop("SIGTERM"));
// A terminal sends it to all processes of the group; when to end is the controller's decision.
process.on("SIGINT", () => undefined);
process.on("unhandledRejection", (error) => log.exception("a promise of the handler's was rejected and nobody heard it", "", error));
process.on("uncaughtException", (error) => {
  // What state the process is in is not known: the controller starts another one.
  log.exception("an error of the handler's was caught nowhere; the replica ends", "", error);
  process.exit(70);
});

main().catch(async (error: unknown) => {
  const code = error instanceof HeadgateError ? error.code : "";
  log.exception("the handler cannot be used", "", error);
  await Promise.race([attachment.failed(describeException(error, boot.root, code)), new Promise((resolve) => setTimeout(resolve, 5_000))]);
  process.exit(1);
});

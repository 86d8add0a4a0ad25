// headgate status: the whole instance at a glance, once or each second.

import { setTimeout as sleep } from "node:timers/promises";
import type { InstanceStatus } from "@headgate/client";
import { type GlobalOptions, type World, print, show, withControl } from "../console.ts";
import { renderTable, showAge, showBytes } from "../model/table.ts";
import { backendTable, replicaTable } from "./backend.ts";
import { endpointTable } from "./endpoint.ts";

const CLEAR = "\u001b[2J\u001b[H";

export async function status(world: World, globals: GlobalOptions, options: { readonly watch?: boolean }): Promise<void> {
  await withControl(world, globals, async (control) => {
    for (;;) {
      const seen = await control.status(world);
      if (options.watch === true && world.out.isTTY === true) world.out.write(CLEAR);
      await show(world, globals, seen, () => statusText(seen, Date.now()));
      if (options.watch !== true || (await interrupted(world.signal))) return;
      if (world.out.isTTY !== true && globals.output === "table") print(world, "");
    }
  });
}

/** Waits a second; true where the user asked to end meanwhile. */
async function interrupted(signal: AbortSignal): Promise<boolean> {
  await sleep(1000, undefined, { signal }).catch(() => undefined);
  return signal.aborted;
}

/** The status as people read it. */
export function statusText(
  { httpUrl, h2cUrl, httpsUrl, adminUrl, controller, bridges, backends, endpoints }: InstanceStatus,
  nowMs: number,
): string {
  // Of shadows only where there are some.
  const copying = bridges.some(({ shadowsCopied, shadowsDropped }) => shadowsCopied + shadowsDropped > 0);
  const processes = renderTable(
    ["process", "state", "pid", "in flight", "restarts", "memory", ...(copying ? ["copies", "dropped"] : [])],
    [
      ["controller", controller.state, String(controller.pid), "-", "-", showBytes(controller.memoryBytes)],
      ...bridges.map(({ id, state, pid, inFlight, restarts, memoryBytes, shadowsCopied, shadowsDropped }) => [
        id,
        state,
        pid === null ? "-" : String(pid),
        String(inFlight),
        String(restarts),
        showBytes(memoryBytes),
        ...(copying ? [String(shadowsCopied), String(shadowsDropped)] : []),
      ]),
    ],
  );
  const served = [`HTTP ${httpUrl}`, ...(h2cUrl === null ? [] : [`h2c ${h2cUrl}`]), ...(httpsUrl === null ? [] : [`HTTPS ${httpsUrl}`])];
  const head = `headgate ${controller.version}  ${served.join("  ")}  admin ${adminUrl}  up ${showAge(controller.startedAtMs, nowMs)}  revision ${controller.revision}`;
  const parts = [head, processes, backendTable(backends)];
  if (backends.some(({ replicas }) => replicas.length > 0)) parts.push(replicaTable(backends, nowMs));
  parts.push(endpointTable(endpoints));
  return parts.join("\n\n");
}

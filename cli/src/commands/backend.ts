// headgate backend …: create, list, get, update, delete.

import type { Backend } from "@headgate/client";
import { HeadgateError, type Refusal, type Result, refuse } from "@headgate/core";
import type { BackendConfig } from "@headgate/core";
import { type GlobalOptions, type World, show, withControl, withProgress } from "../console.ts";
import { handlerLabel, parseHandlerInput } from "../model/handler-input.ts";
import { parseArgs, parseSettings } from "../model/settings.ts";
import { renderTable, showAge, showBytes } from "../model/table.ts";

interface ChangeOptions {
  readonly arg?: readonly string[];
  readonly replicas?: string;
  readonly set?: readonly string[];
  readonly command?: readonly string[];
  readonly restart?: boolean;
}

function checked<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new HeadgateError(result.error);
}

function settingsOf({ set = [], replicas }: ChangeOptions): Partial<BackendConfig> {
  return checked(parseSettings(replicas === undefined ? set : [...set, `numReplicas=${replicas}`]));
}

export async function create(
  world: World,
  globals: GlobalOptions,
  name: string,
  handler: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  if ((handler === undefined) === (options.command === undefined)) {
    refuse("invalid_argument", "a backend needs a handler, such as ./handlers.ts#hello, or --command");
  }
  const request = {
    name,
    handler: checked(parseHandlerInput(handler ?? { command: options.command })),
    args: parseArgs(options.arg ?? []),
    config: settingsOf(options),
  };
  const backend = await withControl(world, globals, (control) =>
    withProgress(world, `starting ${request.config.numReplicas ?? 1} replica(s) of ${name}`, () => control.createBackend(request, world)),
  );
  await show(world, globals, backend, () => detail(backend));
}

export async function list(world: World, globals: GlobalOptions): Promise<void> {
  const backends = await withControl(world, globals, (control) => control.listBackends(world));
  await show(world, globals, backends, () => backendTable(backends));
}

export async function get(world: World, globals: GlobalOptions, name: string): Promise<void> {
  const backend = await withControl(world, globals, (control) => control.getBackend(name, world));
  await show(world, globals, backend, () => detail(backend));
}

export async function update(
  world: World,
  globals: GlobalOptions,
  name: string,
  handler: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const config = settingsOf(options);
  const change = {
    ...(Object.keys(config).length === 0 ? {} : { config }),
    ...(handler === undefined ? {} : { handler: checked(parseHandlerInput(handler)) }),
    ...(options.arg === undefined ? {} : { args: parseArgs(options.arg) }),
    ...(options.restart === true ? { restart: true } : {}),
  };
  if (Object.keys(change).length === 0)
    refuse("invalid_argument", "nothing to change: name a handler, --arg, --replicas, --set or --restart");
  const backend = await withControl(world, globals, (control) =>
    withProgress(world, `updating ${name}`, () => control.updateBackend(name, change, world)),
  );
  await show(world, globals, backend, () => detail(backend));
}

export async function remove(world: World, globals: GlobalOptions, name: string, options: { readonly force?: boolean }): Promise<void> {
  const existed = await withControl(world, globals, (control) =>
    control.deleteBackend(name, { signal: world.signal, force: options.force }),
  );
  await show(world, globals, { name, existed }, () =>
    existed ? `backend ${name} deleted` : `there was no backend ${name}; nothing was changed`,
  );
}

/** All backends, one a line. */
export function backendTable(backends: readonly Backend[]): string {
  if (backends.length === 0) return "no backends; create one with: headgate backend create NAME ./handlers.ts#hello";
  return renderTable(
    ["name", "state", "replicas", "handler", "restarts", "error"],
    backends.map((backend) => [
      backend.name,
      backend.state,
      `${backend.replicas.filter(({ state }) => state === "serving").length}/${backend.numReplicas}`,
      handlerLabel(backend.handler),
      String(backend.restarts),
      backend.lastError === null ? "" : `${backend.lastError.name}: ${backend.lastError.message.split("\n")[0]}`,
    ]),
  );
}

/** All replicas of some backends, one a line. */
export function replicaTable(backends: readonly Backend[], nowMs: number): string {
  return renderTable(
    ["replica", "state", "pid", "in flight", "done", "age", "memory"],
    backends.flatMap(({ replicas }) =>
      replicas.map((replica) => [
        replica.id,
        replica.state,
        replica.pid === null ? "-" : String(replica.pid),
        String(replica.inFlight),
        String(replica.completed),
        showAge(replica.startedAtMs, nowMs),
        showBytes(replica.memoryBytes),
      ]),
    ),
  );
}

function detail(backend: Backend): string {
  return `${backendTable([backend])}\n\n${replicaTable([backend], Date.now())}`;
}

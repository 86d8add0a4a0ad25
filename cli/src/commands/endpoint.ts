// headgate endpoint …, traffic set, shadow set.

import type { ControlClient, Endpoint } from "@headgate/client";
import { HeadgateError, type Refusal, type Result, refuse } from "@headgate/core";
import { type GlobalOptions, type World, show, withControl } from "../console.ts";
import { parseNumber, parseWeights } from "../model/settings.ts";
import { renderTable, showShares } from "../model/table.ts";

interface EndpointOptions {
  readonly backend?: string;
  readonly traffic?: readonly string[];
  readonly route?: string;
  readonly methods?: string;
  readonly requestTimeoutMs?: string;
  readonly maxBodyBytes?: string;
}

function checked<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new HeadgateError(result.error);
}

function numberOf(flag: string, text: string): number {
  const value = parseNumber(text);
  return value === null ? refuse("invalid_argument", `${flag} must be a number, not "${text}"`) : value;
}

function changeOf({ route, methods, requestTimeoutMs, maxBodyBytes }: EndpointOptions) {
  return {
    ...(route === undefined ? {} : { route: route === "" ? null : route }),
    ...(methods === undefined ? {} : { methods: methods.split(",").map((method) => method.trim()) }),
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs: numberOf("--request-timeout-ms", requestTimeoutMs) }),
    ...(maxBodyBytes === undefined ? {} : { maxBodyBytes: numberOf("--max-body-bytes", maxBodyBytes) }),
  };
}

async function showOne(world: World, globals: GlobalOptions, call: (control: ControlClient) => Promise<Endpoint>): Promise<void> {
  const endpoint = await withControl(world, globals, call);
  await show(world, globals, endpoint, () => endpointTable([endpoint]));
}

export async function create(world: World, globals: GlobalOptions, name: string, options: EndpointOptions): Promise<void> {
  const { backend, traffic } = options;
  if ((backend === undefined) === (traffic === undefined)) {
    refuse("invalid_argument", "an endpoint needs either --backend NAME or --traffic NAME=WEIGHT …");
  }
  const weights = traffic === undefined ? { [backend ?? ""]: 1 } : checked(parseWeights(traffic));
  await showOne(world, globals, (control) => control.createEndpoint({ name, ...changeOf(options), traffic: weights }, world));
}

export async function list(world: World, globals: GlobalOptions): Promise<void> {
  const endpoints = await withControl(world, globals, (control) => control.listEndpoints(world));
  await show(world, globals, endpoints, () => endpointTable(endpoints));
}

export async function get(world: World, globals: GlobalOptions, name: string): Promise<void> {
  await showOne(world, globals, (control) => control.getEndpoint(name, world));
}

export async function update(world: World, globals: GlobalOptions, name: string, options: EndpointOptions): Promise<void> {
  const change = changeOf(options);
  if (Object.keys(change).length === 0) {
    refuse("invalid_argument", "nothing to change: name --route, --methods, --request-timeout-ms or --max-body-bytes");
  }
  await showOne(world, globals, (control) => control.updateEndpoint(name, change, world));
}

export async function remove(world: World, globals: GlobalOptions, name: string): Promise<void> {
  const existed = await withControl(world, globals, (control) => control.deleteEndpoint(name, world));
  await show(world, globals, { name, existed }, () =>
    existed ? `endpoint ${name} deleted; its backends stay` : `there was no endpoint ${name}; nothing was changed`,
  );
}

export async function setTraffic(world: World, globals: GlobalOptions, name: string, weights: readonly string[]): Promise<void> {
  const split = checked(parseWeights(weights));
  await showOne(world, globals, (control) => control.setTraffic(name, split, world));
}

export async function setShadow(world: World, globals: GlobalOptions, name: string, backend: string, proportion: string): Promise<void> {
  const share = numberOf("the proportion", proportion);
  await showOne(world, globals, (control) => control.setShadow(name, backend, share, world));
}

/** All endpoints, one a line. */
export function endpointTable(endpoints: readonly Endpoint[]): string {
  if (endpoints.length === 0) return "no endpoints; create one with: headgate endpoint create NAME --backend B --route /r";
  return renderTable(
    ["name", "route", "methods", "traffic", "shadows"],
    endpoints.map(({ name, route, methods, traffic, shadows }) => [
      name,
      route ?? "-",
      methods.join(","),
      showShares(traffic),
      showShares(shadows),
    ]),
  );
}

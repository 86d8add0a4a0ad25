// headgate endpoint …, traffic set, shadow set.

import type { ControlClient, Endpoint } from "@headgate/client";
import { HeadgateError, type Refusal, type Result, refuse } from "@headgate/core";
import { type GlobalOptions, type World, show, withControl } from "../console.ts";
import { type EndpointWords, endpointSettings } from "../model/endpoint-words.ts";
import { parseNumber, parseWeights } from "../model/settings.ts";
import { renderTable, showShares } from "../model/table.ts";

interface EndpointOptions extends EndpointWords {
  readonly backend?: string;
  readonly traffic?: readonly string[];
}

function checked<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new HeadgateError(result.error);
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
  await showOne(world, globals, (control) =>
    control.createEndpoint({ name, ...checked(endpointSettings(options)), traffic: weights }, world),
  );
}

export async function list(world: World, globals: GlobalOptions): Promise<void> {
  const endpoints = await withControl(world, globals, (control) => control.listEndpoints(world));
  await show(world, globals, endpoints, () => endpointTable(endpoints));
}

export async function get(world: World, globals: GlobalOptions, name: string): Promise<void> {
  await showOne(world, globals, (control) => control.getEndpoint(name, world));
}

export async function update(world: World, globals: GlobalOptions, name: string, options: EndpointOptions): Promise<void> {
  const change = checked(endpointSettings(options));
  if (Object.keys(change).length === 0) {
    refuse("invalid_argument", "nothing to change: name a setting, such as --route, --methods or --cors-origin; --help lists them");
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
  const share = parseNumber(proportion);
  if (share === null) refuse("invalid_argument", `the proportion must be a number, not "${proportion}"`);
  await showOne(world, globals, (control) => control.setShadow(name, backend, share, world));
}

export async function which(world: World, globals: GlobalOptions, name: string, key: string): Promise<void> {
  const backend = await withControl(world, globals, (control) => control.whichBackend(name, key, world));
  await show(world, globals, { endpoint: name, key, backend }, () => backend);
}

/** All endpoints, one a line. */
export function endpointTable(endpoints: readonly Endpoint[]): string {
  if (endpoints.length === 0) return "no endpoints; create one with: headgate endpoint create NAME --backend B --route /r";
  return renderTable(
    ["name", "route", "methods", "traffic", "shadows", "rules"],
    endpoints.map((endpoint) => [
      endpoint.name,
      endpoint.route ?? "-",
      endpoint.methods.join(","),
      showShares(endpoint.traffic),
      showShares(endpoint.shadows),
      showRules(endpoint),
    ]),
  );
}

/** What stands beside the split, in a few words. */
function showRules({ matches, previewHeader, affinity, cors }: Endpoint): string {
  const words = [
    ...(matches.length === 0 ? [] : [`${matches.length} match`]),
    ...(previewHeader === null ? [] : [`preview ${previewHeader}`]),
    ...(affinity === null ? [] : [`sticky ${affinity.cookie}`]),
    ...(cors === null ? [] : ["cors"]),
  ];
  return words.length === 0 ? "-" : words.join(", ");
}

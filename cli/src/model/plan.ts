// What has to be done so that an instance is as asked for: wanted and present in, steps out, in an order that works.
// Pure. Running the steps stands in apply-plan.ts; reading a file stands in file.ts.

import type { Backend, BackendChange, BackendRequest, Endpoint, EndpointChange, EndpointRequest } from "@headgate/client";
import { type BackendConfig, type BackendSpec, DEFAULT_BACKEND_CONFIG, type EndpointSpec } from "@headgate/core";
import { handlerLabel } from "./handler-input.ts";

/** What is asked for. */
export interface Wanted {
  readonly backends: readonly BackendSpec[];
  readonly endpoints: readonly EndpointSpec[];
}

/** What there is. */
export interface Present {
  readonly backends: readonly Backend[];
  readonly endpoints: readonly Endpoint[];
}

/** One step, with what it changes in words. */
export type Step =
  | { readonly kind: "createBackend"; readonly name: string; readonly request: BackendRequest; readonly words: readonly string[] }
  | { readonly kind: "updateBackend"; readonly name: string; readonly change: BackendChange; readonly words: readonly string[] }
  | { readonly kind: "deleteBackend"; readonly name: string; readonly words: readonly string[] }
  | { readonly kind: "createEndpoint"; readonly name: string; readonly request: EndpointRequest; readonly words: readonly string[] }
  | { readonly kind: "updateEndpoint"; readonly name: string; readonly change: EndpointChange; readonly words: readonly string[] }
  | {
      readonly kind: "setTraffic";
      readonly name: string;
      readonly traffic: Readonly<Record<string, number>>;
      readonly words: readonly string[];
    }
  | {
      readonly kind: "setShadow";
      readonly name: string;
      readonly backend: string;
      readonly proportion: number;
      readonly words: readonly string[];
    }
  | { readonly kind: "deleteEndpoint"; readonly name: string; readonly words: readonly string[] };

const text = (value: unknown): string => (value === undefined ? "none" : JSON.stringify(value));
const same = (a: unknown, b: unknown): boolean => text(sorted(a)) === text(sorted(b));

/** The same value with the fields of its objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [name, sorted(field)]),
  );
}

/** The steps in order: endpoints that go, backends that come or change, endpoints, and last the backends that go. */
export function planSteps(wanted: Wanted, present: Present, prune = false): readonly Step[] {
  const backends = new Map(present.backends.map((backend) => [backend.name, backend]));
  const endpoints = new Map(present.endpoints.map((endpoint) => [endpoint.name, endpoint]));
  const goes = <T extends { readonly name: string }>(there: readonly T[], kept: readonly { readonly name: string }[]): readonly T[] =>
    prune ? there.filter(({ name }) => !kept.some((other) => other.name === name)) : [];
  return [
    ...goes(present.endpoints, wanted.endpoints).map(({ name }): Step => ({ kind: "deleteEndpoint", name, words: [] })),
    ...wanted.backends.flatMap((spec) => backendSteps(spec, backends.get(spec.name))),
    ...wanted.endpoints.flatMap((spec) => endpointSteps(spec, endpoints.get(spec.name))),
    ...goes(present.backends, wanted.backends).map(({ name }): Step => ({ kind: "deleteBackend", name, words: [] })),
  ];
}

function backendSteps(spec: BackendSpec, present: Backend | undefined): readonly Step[] {
  const { name, handler, args, config } = spec;
  if (present === undefined) {
    const words = [handlerLabel(handler), `numReplicas: ${config.numReplicas}`];
    return [{ kind: "createBackend", name, request: { name, handler, args, config }, words }];
  }
  const words: string[] = [];
  const changed: [string, unknown][] = [];
  for (const field of Object.keys(DEFAULT_BACKEND_CONFIG)) {
    const before: unknown = Reflect.get(present, field);
    const after: unknown = Reflect.get(config, field);
    if (same(before, after)) continue;
    words.push(`${field}: ${text(before)} → ${text(after)}`);
    // A userConfig that is not asked for any more becomes null, which reconfigure() is told.
    changed.push([field, after ?? null]);
  }
  if (!same(present.handler, handler)) words.push(`handler: ${handlerLabel(present.handler)} → ${handlerLabel(handler)}`);
  if (!same(present.args, args)) words.push(`args: ${text(present.args)} → ${text(args)}`);
  if (words.length === 0) return [];
  const change: BackendChange = {
    // Fields of the checked config alone.
    ...(changed.length === 0 ? {} : { config: Object.fromEntries(changed) as Partial<BackendConfig> }),
    ...(same(present.handler, handler) ? {} : { handler }),
    ...(same(present.args, args) ? {} : { args }),
  };
  return [{ kind: "updateBackend", name, change, words }];
}

const trafficOf = (spec: EndpointSpec): Record<string, number> =>
  Object.fromEntries(spec.traffic.map(({ backend, weight }) => [backend, weight]));
const shadowsOf = (spec: EndpointSpec): Record<string, number> =>
  Object.fromEntries(spec.shadows.map(({ backend, proportion }) => [backend, proportion]));

function endpointSteps(spec: EndpointSpec, present: Endpoint | undefined): readonly Step[] {
  const { name, route, methods, requestTimeoutMs, maxBodyBytes, cors, affinity, matches, previewHeader } = spec;
  const settings = { requestTimeoutMs, maxBodyBytes, cors, affinity, matches, previewHeader };
  const traffic = trafficOf(spec);
  const shadows = shadowsOf(spec);
  if (present === undefined) {
    const request = { name, route, methods, traffic, shadows, ...settings };
    return [{ kind: "createEndpoint", name, request, words: [route ?? "headless", methods.join(","), text(traffic)] }];
  }
  const steps: Step[] = [];
  const asked = { route, methods: [...methods].sort(), ...settings };
  const there = { ...present, methods: [...present.methods].sort() };
  const changed = Object.entries(asked).filter(([field, value]) => !same(value, Reflect.get(there, field)));
  if (changed.length > 0) {
    const words = changed.map(([field, value]) => `${field}: ${text(Reflect.get(there, field))} → ${text(value)}`);
    // Fields of the checked endpoint alone.
    steps.push({ kind: "updateEndpoint", name, change: Object.fromEntries(changed) as EndpointChange, words });
  }
  if (!same(traffic, present.traffic)) {
    steps.push({ kind: "setTraffic", name, traffic, words: [`traffic: ${text(present.traffic)} → ${text(traffic)}`] });
  }
  for (const backend of new Set([...Object.keys(shadows), ...Object.keys(present.shadows)])) {
    const proportion = shadows[backend] ?? 0;
    const before = present.shadows[backend] ?? 0;
    if (proportion !== before) {
      steps.push({ kind: "setShadow", name, backend, proportion, words: [`shadow ${backend}: ${before} → ${proportion}`] });
    }
  }
  return steps;
}

const SIGNS = {
  createBackend: "+ backend",
  updateBackend: "~ backend",
  deleteBackend: "- backend",
  createEndpoint: "+ endpoint",
  updateEndpoint: "~ endpoint",
  setTraffic: "~ endpoint",
  setShadow: "~ endpoint",
  deleteEndpoint: "- endpoint",
} as const;

/** A step as the plan prints it: "+" comes, "~" changes, "-" goes. */
export function showStep({ kind, name, words }: Step): string {
  return [`${SIGNS[kind]} ${name}`, ...words.map((word) => `    ${word}`)].join("\n");
}

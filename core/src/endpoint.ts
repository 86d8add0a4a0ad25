// Endpoints as the whole house speaks of them: route, methods, traffic, shadows, and the checks that make them valid.
// Pure. Matching a path to a route at run time stands in client/src/model/routing-table.ts.

import { invalid, shown } from "./checks.ts";
import { type CorsPolicy, parseCors } from "./cors.ts";
import type { Refusal } from "./faults.ts";
import { parseHttpMethods } from "./http-methods.ts";
import { LIMITS } from "./limits.ts";
import { type BackendName, type EndpointName, parseBackendName, parseEndpointName } from "./names.ts";
import { type Result, ok } from "./result.ts";
import { parseRoute } from "./route.ts";
import { type Affinity, type MatchRule, parseAffinity, parseMatches, parsePreviewHeader } from "./steering.ts";

/** One share of an endpoint's traffic. */
export interface WeightedBackend {
  readonly backend: BackendName;
  /** 0 to 1. */
  readonly weight: number;
}

/** A backend that gets copies of an endpoint's requests. */
export interface ShadowBackend {
  readonly backend: BackendName;
  /** 0 to 1. */
  readonly proportion: number;
}

/** An endpoint as the operator asks for it, every default filled in. */
export interface EndpointSpec {
  readonly name: EndpointName;
  /** HTTP path pattern; null: headless. */
  readonly route: string | null;
  /** Upper case. */
  readonly methods: readonly string[];
  /** Sorted by backend; weights sum to 1. */
  readonly traffic: readonly WeightedBackend[];
  /** Sorted by backend. */
  readonly shadows: readonly ShadowBackend[];
  /** Deadline of a request, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Largest request body, in bytes. */
  readonly maxBodyBytes: number;
  /** Which pages of other origins may call it; null: what the handler says. */
  readonly cors: CorsPolicy | null;
  /** Sticky users; null: none. */
  readonly affinity: Affinity | null;
  /** Rules before the split: the first that a request meets decides. */
  readonly matches: readonly MatchRule[];
  /** Request field in lower case that names the backend to go to; null: none. */
  readonly previewHeader: string | null;
}

/** Names of the backends that an endpoint uses: in its split, as shadows, by match rules. Some may stand more than once. */
export function backendsOf({ traffic, shadows, matches }: EndpointSpec): readonly BackendName[] {
  return [...traffic, ...shadows, ...matches].map(({ backend }) => backend);
}

/** How far the sum of weights may be from 1. */
export const WEIGHT_TOLERANCE = 1e-8;

const byBackend = (a: { readonly backend: string }, b: { readonly backend: string }): number =>
  a.backend < b.backend ? -1 : a.backend > b.backend ? 1 : 0;

/** Checks a split: known form, weights >= 0, sum 1 ± 1e-8, no backend twice. Returns it sorted. */
export function parseTraffic(
  shares: readonly { readonly backend: unknown; readonly weight: unknown }[],
): Result<readonly WeightedBackend[], Refusal> {
  if (shares.length === 0) return invalid("traffic", "traffic needs at least one backend");
  if (shares.length > LIMITS.backendsPerEndpoint) {
    return invalid("traffic", `traffic can be split over at most ${LIMITS.backendsPerEndpoint} backends`);
  }
  const seen = new Set<string>();
  const traffic: WeightedBackend[] = [];
  let sum = 0;
  for (const { backend, weight } of shares) {
    const name = parseBackendName(backend);
    if (!name.ok) return name;
    if (seen.has(name.value)) return invalid("traffic", `backend "${name.value}" stands twice in the traffic`);
    seen.add(name.value);
    if (typeof weight !== "number" || !Number.isFinite(weight) || weight < 0) {
      return invalid("traffic", `the weight of "${name.value}" must be a number of at least 0, not ${shown(weight)}`);
    }
    sum += weight;
    traffic.push({ backend: name.value, weight });
  }
  if (Math.abs(sum - 1) > WEIGHT_TOLERANCE) {
    return invalid("traffic", `the weights must sum to 1, not ${Number(sum.toPrecision(10))}`);
  }
  return ok(traffic.sort(byBackend));
}

/** Checks a shadow's proportion. */
export function parseProportion(value: unknown): Result<number, Refusal> {
  if (typeof value === "number" && value >= 0 && value <= 1) return ok(value);
  return invalid("proportion", `the proportion of a shadow must be a number from 0 to 1, not ${shown(value)}`);
}

/** Checks a deadline; 0 or undefined: the default. */
export function parseRequestTimeoutMs(value: unknown): Result<number, Refusal> {
  if (value === undefined || value === 0) return ok(LIMITS.requestTimeoutMs);
  if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= LIMITS.maxRequestTimeoutMs) return ok(value);
  return invalid(
    "requestTimeoutMs",
    `requestTimeoutMs must be a whole number from 1 to ${LIMITS.maxRequestTimeoutMs}, not ${shown(value)}`,
  );
}

/** Checks a limit of the request body; 0 or undefined: the default. */
export function parseMaxBodyBytes(value: unknown): Result<number, Refusal> {
  if (value === undefined || value === 0) return ok(LIMITS.requestBodyBytes);
  if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= LIMITS.maxRequestBodyBytes) return ok(value);
  return invalid("maxBodyBytes", `maxBodyBytes must be a whole number from 1 to ${LIMITS.maxRequestBodyBytes}, not ${shown(value)}`);
}

/** Checks an endpoint. An empty or missing route makes it headless. */
export function parseEndpointSpec(input: {
  readonly name: unknown;
  readonly route?: unknown;
  readonly methods?: readonly unknown[] | undefined;
  readonly traffic: readonly { readonly backend: unknown; readonly weight: unknown }[];
  readonly shadows?: readonly { readonly backend: unknown; readonly proportion: unknown }[] | undefined;
  readonly requestTimeoutMs?: unknown;
  readonly maxBodyBytes?: unknown;
  readonly cors?: unknown;
  readonly affinity?: unknown;
  readonly matches?: unknown;
  readonly previewHeader?: unknown;
}): Result<EndpointSpec, Refusal> {
  const name = parseEndpointName(input.name);
  if (!name.ok) return name;
  let route: string | null = null;
  if (input.route !== undefined && input.route !== null && input.route !== "") {
    const parsed = parseRoute(input.route);
    if (!parsed.ok) return parsed;
    route = parsed.value.pattern;
  }
  const methods = parseHttpMethods(input.methods ?? []);
  if (!methods.ok) return methods;
  const traffic = parseTraffic(input.traffic);
  if (!traffic.ok) return traffic;
  const shadows: ShadowBackend[] = [];
  if ((input.shadows?.length ?? 0) > LIMITS.shadowsPerEndpoint) {
    return invalid("shadows", `an endpoint can have at most ${LIMITS.shadowsPerEndpoint} shadows`);
  }
  for (const shadow of input.shadows ?? []) {
    const backend = parseBackendName(shadow.backend);
    if (!backend.ok) return backend;
    const proportion = parseProportion(shadow.proportion);
    if (!proportion.ok) return proportion;
    if (shadows.some((s) => s.backend === backend.value)) {
      return invalid("shadows", `backend "${backend.value}" stands twice in the shadows`);
    }
    if (proportion.value > 0) shadows.push({ backend: backend.value, proportion: proportion.value });
  }
  const requestTimeoutMs = parseRequestTimeoutMs(input.requestTimeoutMs);
  if (!requestTimeoutMs.ok) return requestTimeoutMs;
  const maxBodyBytes = parseMaxBodyBytes(input.maxBodyBytes);
  if (!maxBodyBytes.ok) return maxBodyBytes;
  const cors = parseCors(input.cors);
  if (!cors.ok) return cors;
  const affinity = parseAffinity(input.affinity);
  if (!affinity.ok) return affinity;
  const matches = parseMatches(input.matches);
  if (!matches.ok) return matches;
  const previewHeader = parsePreviewHeader(input.previewHeader);
  if (!previewHeader.ok) return previewHeader;
  return ok({
    name: name.value,
    route,
    methods: methods.value,
    traffic: traffic.value,
    shadows: shadows.sort(byBackend),
    requestTimeoutMs: requestTimeoutMs.value,
    maxBodyBytes: maxBodyBytes.value,
    cors: cors.value,
    affinity: affinity.value,
    matches: matches.value,
    previewHeader: previewHeader.value,
  });
}

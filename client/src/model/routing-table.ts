// The routing table compiled for the request path: path → endpoint → backend. One immutable value, swapped whole.
// Checked as a whole before it is taken; a table with anything wrong in it is refused and the old one stays.

import { type Affinity, type CorsPolicy, type EndpointSpec, backendsOf, parseRoute } from "@headgate/core";
import { type RouteMatch, buildRouteTree } from "./route-tree.ts";
import { shareAt, shareOfKey } from "./split.ts";
import { type Steering, compileSteering } from "./steering.ts";
import type { RoutingTable, TableBackend } from "./table.ts";

/** One share of an endpoint's traffic; `backend` indexes nothing: it is the backend itself. */
export interface CompiledShare<B> {
  readonly name: string;
  readonly weight: number;
  readonly backend: B;
}

/** Where the split of an endpoint stands. Mutable, owned by the shell, and kept from one table to the next. */
export interface SplitCursor {
  /** Point of the last request, in [0, 1). */
  point: number;
  /** Point of the last draw for shadows, in [0, 1). */
  shadowPoint: number;
}

/** What happens to the copies of one shadow. Mutable, owned by the shell, and kept from one table to the next. */
export interface ShadowLane {
  /** Copies that run. */
  inFlight: number;
  /** Copies that were sent since the shadow is known. */
  copied: number;
  /** Copies that were due and not sent, or broken off. */
  dropped: number;
}

/** A shadow of an endpoint. */
export interface CompiledShadow<B> {
  readonly proportion: number;
  readonly backend: B;
  readonly lane: ShadowLane;
}

/** An endpoint as the request path reads it. `B` is the shell's live backend (its replicas' sessions and its queue). */
export interface CompiledEndpoint<B> {
  readonly name: string;
  readonly route: string | null;
  readonly methods: ReadonlySet<string>;
  /** Value of the Allow field. */
  readonly allow: string;
  readonly requestTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly shares: readonly CompiledShare<B>[];
  readonly shadows: readonly CompiledShadow<B>[];
  readonly cursor: SplitCursor;
  /** What comes before the split; null: nothing does. */
  readonly steering: Steering<B> | null;
  /** Sticky users; null: none. */
  readonly affinity: Affinity | null;
  /** Cross-origin access; null: what the handler says. */
  readonly cors: CorsPolicy | null;
}

/** What the request path reads. */
export interface CompiledTable<B> {
  readonly epoch: string;
  readonly sequence: bigint;
  readonly revision: bigint;
  /** Endpoint of a path without its query; null: none. */
  readonly match: (path: string) => RouteMatch<CompiledEndpoint<B>> | null;
  /** Endpoint of a name. */
  readonly endpoint: (name: string) => CompiledEndpoint<B> | undefined;
  /** All endpoints, by name. */
  readonly endpoints: readonly CompiledEndpoint<B>[];
}

/** What is wrong with a table; null: nothing. */
export function tableProblem(table: RoutingTable): string | null {
  const backends = new Set(table.backends.map((backend) => backend.name));
  if (backends.size !== table.backends.length) return "a backend stands twice in the table";
  const replicas = new Set<string>();
  for (const backend of table.backends) {
    for (const replica of backend.replicas) {
      if (replicas.has(replica.id)) return `replica "${replica.id}" stands twice in the table`;
      replicas.add(replica.id);
      if (replica.address === "") return `replica "${replica.id}" has no address`;
    }
  }
  const shapes = new Map<string, string>();
  for (const endpoint of table.endpoints) {
    for (const backend of backendsOf(endpoint)) {
      if (!backends.has(backend)) return `endpoint "${endpoint.name}" uses backend "${backend}", which is not in the table`;
    }
    if (endpoint.route === null) continue;
    const route = parseRoute(endpoint.route);
    if (!route.ok) return `endpoint "${endpoint.name}": ${route.error.message}`;
    const other = shapes.get(route.value.shape);
    if (other !== undefined) return `endpoints "${other}" and "${endpoint.name}" have the same route`;
    shapes.set(route.value.shape, endpoint.name);
  }
  return null;
}

/** Whether a receiver that runs `current` may take `next`: never back within an epoch. */
export function isNewer(current: Pick<RoutingTable, "epoch" | "sequence"> | null, next: RoutingTable): boolean {
  return current === null || current.epoch !== next.epoch || next.sequence > current.sequence;
}

/** The fields of Allow: HEAD follows GET, OPTIONS is always answered. */
export function allowedMethods(methods: readonly string[]): readonly string[] {
  const allowed = new Set(methods);
  if (allowed.has("GET")) allowed.add("HEAD");
  allowed.add("OPTIONS");
  return [...allowed].sort();
}

/**
 * Compiles a table that has no problem. `live` gives the shell's backend of a table's, `cursor` an endpoint's cursor, `lane`
 * the lane of one of its shadows.
 */
export function compileTable<B>(
  table: RoutingTable,
  live: (backend: TableBackend) => B,
  cursor: (endpoint: string) => SplitCursor,
  lane: (endpoint: string, backend: string) => ShadowLane,
): CompiledTable<B> {
  const backends = new Map(table.backends.map((backend) => [backend.name, live(backend)]));
  const endpoints = table.endpoints.map((spec) => compileEndpoint(spec, backends, cursor(spec.name), lane));
  const byName = new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));
  const routes = endpoints.flatMap((endpoint) => {
    if (endpoint.route === null) return [];
    const route = parseRoute(endpoint.route);
    return route.ok ? [[route.value, endpoint] as const] : [];
  });
  const tree = buildRouteTree(routes);
  return {
    epoch: table.epoch,
    sequence: table.sequence,
    revision: table.revision,
    match: (path) => tree.match(path),
    endpoint: (name) => byName.get(name),
    endpoints,
  };
}

function compileEndpoint<B>(
  spec: EndpointSpec,
  backends: ReadonlyMap<string, B>,
  cursor: SplitCursor,
  lane: (endpoint: string, backend: string) => ShadowLane,
): CompiledEndpoint<B> {
  const shares: CompiledShare<B>[] = [];
  for (const { backend, weight } of spec.traffic) {
    const found = backends.get(backend);
    if (found !== undefined) shares.push({ name: backend, weight, backend: found });
  }
  const shadows: CompiledShadow<B>[] = [];
  for (const { backend, proportion } of spec.shadows) {
    const found = backends.get(backend);
    if (found !== undefined) shadows.push({ proportion, backend: found, lane: lane(spec.name, backend) });
  }
  return {
    name: spec.name,
    route: spec.route,
    methods: new Set(allowedMethods(spec.methods).filter((method) => method !== "OPTIONS" || spec.methods.includes("OPTIONS"))),
    allow: allowedMethods(spec.methods).join(", "),
    requestTimeoutMs: spec.requestTimeoutMs,
    maxBodyBytes: spec.maxBodyBytes,
    shares,
    shadows,
    cursor,
    steering: compileSteering(spec, backends),
    affinity: spec.affinity,
    cors: spec.cors,
  };
}

/** The backend that a point or, where there is one, a key leads to; null where the traffic is empty. */
export function pickBackend<B>(endpoint: CompiledEndpoint<B>, point: number, key: string | null): B | null {
  const { shares } = endpoint;
  const only = shares[0];
  if (only === undefined) return null;
  if (shares.length === 1) return only.backend;
  const index = key === null ? shareAt(shares, point) : shareOfKey(shares, key);
  return shares[index]?.backend ?? null;
}

// The one projection: desired and observed state to the routing table. Bridges and whatever else routes are fed from it
// alone, so that they can never disagree. Pure.

import { type EndpointSpec, type Transport, backendsOf } from "@headgate/core";
import type { Desired } from "./desired.ts";
import type { Replica } from "./observed.ts";

/** A table without its number. */
export interface Projection {
  readonly revision: number;
  /** Sorted by name. */
  readonly endpoints: readonly EndpointSpec[];
  /** All backends that endpoints use, sorted by name. */
  readonly backends: readonly {
    readonly name: string;
    readonly maxConcurrentQueries: number;
    readonly maxQueuedRequests: number;
    /** Sorted by id. */
    readonly replicas: readonly { readonly id: string; readonly address: string; readonly transport: Transport }[];
  }[];
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

/** Projects the table. */
export function project(desired: Desired, replicas: Iterable<Replica>): Projection {
  const endpoints = [...desired.endpoints.values()].map(({ spec }) => spec).sort(byName);
  const used = usedBackends(desired);
  const serving = [...replicas].filter((replica) => replica.state === "serving");
  const backends = [...used].flatMap((name) => {
    const backend = desired.backends.get(name);
    if (backend === undefined) return [];
    const { maxConcurrentQueries, maxQueuedRequests } = backend.spec.config;
    const own = serving
      .filter((replica) => replica.backend === name)
      .map(({ id, address, transport }) => ({ id, address, transport }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    return [{ name, maxConcurrentQueries, maxQueuedRequests, replicas: own }];
  });
  return { revision: desired.revision, endpoints, backends: backends.sort(byName) };
}

/** Names of the backends that endpoints use, in traffic, as shadows or by match rules. */
export function usedBackends(desired: Desired): Set<string> {
  const used = new Set<string>();
  for (const { spec } of desired.endpoints.values()) {
    for (const backend of backendsOf(spec)) used.add(backend);
  }
  return used;
}

/** Ids of the replicas in a table. */
export function replicaIds(projection: Projection): Set<string> {
  return new Set(projection.backends.flatMap((backend) => backend.replicas.map((replica) => replica.id)));
}

// The desired state and every rule by which it changes: (desired, command) → new state or refusal. Pure.
// All in-use and already-there rules live here and nowhere else. What is seen of processes stands in observed.ts.

import {
  type BackendName,
  type BackendSpec,
  type EndpointName,
  type EndpointSpec,
  LIMITS,
  type Refusal,
  type Result,
  type ShadowBackend,
  type WeightedBackend,
  backendsOf,
  checkSpec,
  err,
  fault,
  ok,
  parseRoute,
} from "@headgate/core";

/** Where the roll-out of a backend's latest change stands. */
export type Rollout =
  /** Its first replicas are not all ready yet: if they cannot be, the backend goes. */
  | { readonly phase: "creating" }
  /** Everything asked for is in force. */
  | { readonly phase: "steady" }
  /** A new version is being started: if it cannot be, `previous` comes back. */
  | { readonly phase: "updating"; readonly previous: BackendSpec; readonly previousGeneration: number };

/** A backend as it should be. */
export interface DesiredBackend {
  readonly spec: BackendSpec;
  /** Which version of it; grows with each change that needs new processes. */
  readonly generation: number;
  /** The highest generation there ever was: one that was rolled back is never used again. */
  readonly highest: number;
  /** Revision at which it was last changed. */
  readonly revision: number;
  readonly rollout: Rollout;
}

/** An endpoint as it should be. */
export interface DesiredEndpoint {
  readonly spec: EndpointSpec;
  readonly revision: number;
}

/** All that an operator asked for. */
export interface Desired {
  /** Number of this state; each accepted change makes one more. */
  readonly revision: number;
  readonly backends: ReadonlyMap<string, DesiredBackend>;
  readonly endpoints: ReadonlyMap<string, DesiredEndpoint>;
}

export const NOTHING_DESIRED: Desired = { revision: 0, backends: new Map(), endpoints: new Map() };

/** A change that an operator, or a roll-out that ended, asks for. */
export type Command =
  | { readonly kind: "createBackend"; readonly spec: BackendSpec }
  | { readonly kind: "updateBackend"; readonly spec: BackendSpec; readonly restart: boolean }
  | { readonly kind: "deleteBackend"; readonly name: BackendName }
  | { readonly kind: "rolledOut"; readonly name: string; readonly generation: number }
  | { readonly kind: "rollBack"; readonly name: string; readonly generation: number }
  | { readonly kind: "createEndpoint"; readonly spec: EndpointSpec }
  | { readonly kind: "updateEndpoint"; readonly spec: EndpointSpec }
  | { readonly kind: "deleteEndpoint"; readonly name: EndpointName }
  | { readonly kind: "setTraffic"; readonly endpoint: EndpointName; readonly traffic: readonly WeightedBackend[] }
  | { readonly kind: "setShadow"; readonly endpoint: EndpointName; readonly shadow: ShadowBackend };

/** Whether two values have the same JSON form. Specs are made in one order of fields. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Carries out a command. The same state comes back where nothing changes; the revision grows where something does. */
export function decide(desired: Desired, command: Command): Result<Desired, Refusal> {
  switch (command.kind) {
    case "createBackend":
      return createBackend(desired, command.spec);
    case "updateBackend":
      return updateBackend(desired, command.spec, command.restart);
    case "deleteBackend":
      return deleteBackend(desired, command.name);
    case "rolledOut":
      return rolledOut(desired, command.name, command.generation);
    case "rollBack":
      return rollBack(desired, command.name, command.generation);
    case "createEndpoint":
      return createEndpoint(desired, command.spec);
    case "updateEndpoint":
      return updateEndpoint(desired, command.spec);
    case "deleteEndpoint":
      return ok(desired.endpoints.has(command.name) ? withEndpoint(desired, command.name, null) : desired);
    case "setTraffic":
      return changeEndpoint(desired, command.endpoint, (spec) => ({ ...spec, traffic: command.traffic }));
    case "setShadow":
      return changeEndpoint(desired, command.endpoint, (spec) => withShadow(spec, command.shadow));
    default:
      return command satisfies never;
  }
}

// --- backends ---

function withBackend(desired: Desired, name: string, backend: Omit<DesiredBackend, "revision"> | null): Desired {
  const revision = desired.revision + 1;
  const backends = new Map(desired.backends);
  if (backend === null) backends.delete(name);
  else backends.set(name, { ...backend, revision });
  return { ...desired, revision, backends };
}

function createBackend(desired: Desired, spec: BackendSpec): Result<Desired, Refusal> {
  const existing = desired.backends.get(spec.name);
  if (existing !== undefined) {
    if (same(existing.spec, spec)) return ok(desired);
    return err(
      fault("backend_exists", `backend "${spec.name}" exists and is different; change it with update, or delete it first`, {
        backend: spec.name,
      }),
    );
  }
  if (desired.backends.size >= LIMITS.backends) {
    return err(fault("invalid_argument", `there are ${LIMITS.backends} backends already, which is the limit`, { limit: "backends" }));
  }
  return ok(withBackend(desired, spec.name, { spec, generation: 1, highest: 1, rollout: { phase: "creating" } }));
}

/** Whether a change needs new processes. */
export function needsRestart(before: BackendSpec, after: BackendSpec): boolean {
  return (
    !same(before.handler, after.handler) ||
    !same(before.args, after.args) ||
    !same(before.config.env, after.config.env) ||
    !same(before.config.methods, after.config.methods)
  );
}

function updateBackend(desired: Desired, spec: BackendSpec, restart: boolean): Result<Desired, Refusal> {
  const existing = desired.backends.get(spec.name);
  if (existing === undefined) return err(backendNotFound(spec.name));
  const checked = checkSpec(spec);
  if (!checked.ok) return checked;
  if (existing.rollout.phase !== "steady") {
    return err(
      fault(
        "backend_changed",
        `backend "${spec.name}" is still being ${existing.rollout.phase === "creating" ? "created" : "updated"}; try again when it is ready`,
        {
          backend: spec.name,
        },
      ),
    );
  }
  const renew = restart || needsRestart(existing.spec, spec);
  if (!renew && same(existing.spec, spec)) return ok(desired);
  return ok(
    withBackend(desired, spec.name, {
      spec,
      generation: renew ? existing.highest + 1 : existing.generation,
      highest: renew ? existing.highest + 1 : existing.highest,
      rollout: { phase: "updating", previous: existing.spec, previousGeneration: existing.generation },
    }),
  );
}

function deleteBackend(desired: Desired, name: string): Result<Desired, Refusal> {
  if (!desired.backends.has(name)) return ok(desired);
  const users = [...desired.endpoints.values()]
    .filter(({ spec }) => backendsOf(spec).some((backend) => backend === name))
    .map(({ spec }) => spec.name)
    .sort();
  if (users.length > 0) {
    const list = users.map((user) => `"${user}"`).join(", ");
    return err(
      fault(
        "backend_in_use",
        `backend "${name}" is used by endpoint${users.length === 1 ? "" : "s"} ${list}; change their traffic, shadows and match rules, or delete them first`,
        {
          backend: name,
          endpoints: users.join(",").slice(0, 1024),
        },
      ),
    );
  }
  return ok(withBackend(desired, name, null));
}

function rolledOut(desired: Desired, name: string, generation: number): Result<Desired, Refusal> {
  const backend = desired.backends.get(name);
  if (backend === undefined || backend.generation !== generation || backend.rollout.phase === "steady") return ok(desired);
  // Not a change of what is asked for: the revision stays, so that nobody waits for it twice.
  const backends = new Map(desired.backends);
  backends.set(name, { ...backend, rollout: { phase: "steady" } });
  return ok({ ...desired, backends });
}

function rollBack(desired: Desired, name: string, generation: number): Result<Desired, Refusal> {
  const backend = desired.backends.get(name);
  if (backend === undefined || backend.generation !== generation) return ok(desired);
  switch (backend.rollout.phase) {
    case "steady":
      return ok(desired);
    case "creating":
      return ok(withBackend(desired, name, null));
    case "updating":
      return ok(
        withBackend(desired, name, {
          spec: backend.rollout.previous,
          generation: backend.rollout.previousGeneration,
          highest: backend.highest,
          rollout: { phase: "steady" },
        }),
      );
    default:
      return backend.rollout satisfies never;
  }
}

export function backendNotFound(name: string): Refusal {
  return fault("backend_not_found", `there is no backend "${name}"`, { backend: name });
}

export function endpointNotFound(name: string): Refusal {
  return fault("endpoint_not_found", `there is no endpoint "${name}"`, { endpoint: name });
}

// --- endpoints ---

function withEndpoint(desired: Desired, name: string, spec: EndpointSpec | null): Desired {
  const revision = desired.revision + 1;
  const endpoints = new Map(desired.endpoints);
  if (spec === null) endpoints.delete(name);
  else endpoints.set(name, { spec, revision });
  return { ...desired, revision, endpoints };
}

function createEndpoint(desired: Desired, spec: EndpointSpec): Result<Desired, Refusal> {
  const existing = desired.endpoints.get(spec.name);
  if (existing !== undefined) {
    if (same(existing.spec, spec)) return ok(desired);
    return err(
      fault("endpoint_exists", `endpoint "${spec.name}" exists and is different; change it with update, or delete it first`, {
        endpoint: spec.name,
      }),
    );
  }
  if (desired.endpoints.size >= LIMITS.endpoints) {
    return err(fault("invalid_argument", `there are ${LIMITS.endpoints} endpoints already, which is the limit`, { limit: "endpoints" }));
  }
  const problem = endpointProblem(desired, spec);
  return problem === null ? ok(withEndpoint(desired, spec.name, spec)) : err(problem);
}

function updateEndpoint(desired: Desired, spec: EndpointSpec): Result<Desired, Refusal> {
  return changeEndpoint(desired, spec.name, () => spec);
}

function changeEndpoint(desired: Desired, name: string, change: (spec: EndpointSpec) => EndpointSpec): Result<Desired, Refusal> {
  const existing = desired.endpoints.get(name);
  if (existing === undefined) return err(endpointNotFound(name));
  const spec = change(existing.spec);
  if (same(existing.spec, spec)) return ok(desired);
  const problem = endpointProblem(desired, spec);
  return problem === null ? ok(withEndpoint(desired, name, spec)) : err(problem);
}

/** What forbids an endpoint beside the others; null: nothing. */
function endpointProblem(desired: Desired, spec: EndpointSpec): Refusal | null {
  for (const backend of backendsOf(spec)) {
    const found = desired.backends.get(backend);
    if (found === undefined) return backendNotFound(backend);
    if (found.rollout.phase === "creating") {
      return fault("backend_not_ready", `backend "${backend}" is still being created`, { backend });
    }
  }
  if (spec.shadows.length > LIMITS.shadowsPerEndpoint) {
    return fault("invalid_argument", `an endpoint can have at most ${LIMITS.shadowsPerEndpoint} shadows`, { limit: "shadowsPerEndpoint" });
  }
  const shape = shapeOf(spec);
  if (shape === null) return null;
  for (const other of desired.endpoints.values()) {
    if (other.spec.name !== spec.name && shapeOf(other.spec) === shape) {
      return fault("route_taken", `route "${spec.route}" is taken by endpoint "${other.spec.name}"`, {
        route: spec.route ?? "",
        endpoint: other.spec.name,
      });
    }
  }
  return null;
}

function shapeOf(spec: EndpointSpec): string | null {
  if (spec.route === null) return null;
  const route = parseRoute(spec.route);
  return route.ok ? route.value.shape : null;
}

function withShadow(spec: EndpointSpec, shadow: ShadowBackend): EndpointSpec {
  const others = spec.shadows.filter((one) => one.backend !== shadow.backend);
  const shadows = shadow.proportion > 0 ? [...others, shadow] : others;
  return { ...spec, shadows: shadows.sort((a, b) => (a.backend < b.backend ? -1 : 1)) };
}

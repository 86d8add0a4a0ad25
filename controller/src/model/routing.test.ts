// What stands in the routing table, and what does not.

import { expect, test } from "@jest/globals";
import { type BackendSpec, type EndpointSpec, parseBackendSpec, parseEndpointSpec } from "@headgate/core";
import { type Command, NOTHING_DESIRED, decide } from "./desired.ts";
import { type Replica, type ReplicaEvent, launched, step } from "./observed.ts";
import { project, replicaIds } from "./routing.ts";

function backend(name: string): BackendSpec {
  const spec = parseBackendSpec({
    name,
    handler: { kind: "inline", source: "() => 1", shape: "function", acceptsBatches: false },
    args: [],
    config: {},
  });
  if (!spec.ok) throw new Error(spec.error.message);
  return spec.value;
}

function endpoint(name: string, traffic: Readonly<Record<string, number>>): EndpointSpec {
  const spec = parseEndpointSpec({
    name,
    route: `/${name}`,
    traffic: Object.entries(traffic).map(([backend, weight]) => ({ backend, weight })),
  });
  if (!spec.ok) throw new Error(spec.error.message);
  return spec.value;
}

function desiredOf(...commands: readonly Command[]) {
  return commands.reduce((desired, command) => {
    const decided = decide(desired, command);
    if (!decided.ok) throw new Error(decided.error.message);
    return decided.value;
  }, NOTHING_DESIRED);
}

const created = (name: string): Command[] => [
  { kind: "createBackend", spec: backend(name) },
  { kind: "rolledOut", name, generation: 1 },
];
const SERVING: readonly ReplicaEvent[] = [
  { kind: "registered", pid: 1 },
  { kind: "ready", transport: "session", acceptsBatches: false, configured: 0 },
];
const replica = (id: string, backendName: string, ...events: readonly ReplicaEvent[]): Replica =>
  events.reduce(step, launched({ id, backend: backendName, generation: 1, address: `unix:/${id}`, startedAtMs: 0, pid: 1 }));

const desired = desiredOf(...created("zeta"), ...created("alpha"), ...created("unused"), {
  kind: "createEndpoint",
  spec: endpoint("e", { zeta: 0, alpha: 1 }),
});

test("only replicas that serve stand in a table", () => {
  const table = project(desired, [
    replica("alpha-2", "alpha", ...SERVING),
    replica("alpha-1", "alpha", ...SERVING),
    replica("alpha-3", "alpha"),
    replica("alpha-4", "alpha", ...SERVING, { kind: "drain", deadlineMs: 9 }),
    replica("alpha-5", "alpha", ...SERVING, { kind: "gone", failure: null }),
  ]);
  expect(replicaIds(table)).toEqual(new Set(["alpha-1", "alpha-2"]));
  expect(table.backends[0]?.replicas.map((one) => one.id)).toEqual(["alpha-1", "alpha-2"]);
});

test("only backends that endpoints use stand in a table, sorted, those of weight 0 among them", () => {
  const table = project(desired, [replica("unused-1", "unused", ...SERVING)]);
  expect(table.backends.map((one) => one.name)).toEqual(["alpha", "zeta"]);
  expect(table.revision).toBe(desired.revision);
});

test("a backend that only a match rule leads to stands in the table", () => {
  const spec = endpoint("e", { zeta: 1 });
  const alpha = backend("alpha").name;
  const ruled = desiredOf(...created("zeta"), ...created("alpha"), {
    kind: "createEndpoint",
    spec: { ...spec, matches: [{ backend: alpha, cookie: "group", prefix: "beta" }] },
  });
  const table = project(ruled, [replica("alpha-1", "alpha", ...SERVING)]);
  expect(table.backends.map((one) => one.name)).toEqual(["alpha", "zeta"]);
  expect(replicaIds(table)).toEqual(new Set(["alpha-1"]));
});

test("the order in which replicas came does not show", () => {
  const a = replica("alpha-1", "alpha", ...SERVING);
  const b = replica("alpha-2", "alpha", ...SERVING);
  expect(project(desired, [a, b])).toEqual(project(desired, [b, a]));
});

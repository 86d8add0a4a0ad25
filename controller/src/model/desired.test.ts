// Every rule by which the desired state changes. No processes here.

import { expect, test } from "@jest/globals";
import { type BackendSpec, type EndpointSpec, type Handler, parseBackendName, parseBackendSpec, parseEndpointSpec } from "@headgate/core";
import { type Command, type Desired, NOTHING_DESIRED, decide } from "./desired.ts";

function handler(source: string): Handler {
  return { kind: "inline", source, shape: "class", acceptsBatches: false };
}

function backend(name: string, source = "class {}", config: object = {}): BackendSpec {
  const spec = parseBackendSpec({ name, handler: handler(source), args: [], config });
  if (!spec.ok) throw new Error(spec.error.message);
  return spec.value;
}

function endpoint(name: string, backendName: string, route: string | null = `/${name}`): EndpointSpec {
  const spec = parseEndpointSpec({ name, route, traffic: [{ backend: backendName, weight: 1 }] });
  if (!spec.ok) throw new Error(spec.error.message);
  return spec.value;
}

function nameOf(name: string) {
  const parsed = parseBackendName(name);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

function after(desired: Desired, ...commands: readonly Command[]): Desired {
  let state = desired;
  for (const command of commands) {
    const decided = decide(state, command);
    if (!decided.ok) throw new Error(`${decided.error.code}: ${decided.error.message}`);
    state = decided.value;
  }
  return state;
}

function refusal(desired: Desired, command: Command): string {
  const decided = decide(desired, command);
  return decided.ok ? "accepted" : decided.error.code;
}

const created = (spec: BackendSpec): readonly Command[] => [
  { kind: "createBackend", spec },
  { kind: "rolledOut", name: spec.name, generation: 1 },
];
const oneBackend = after(NOTHING_DESIRED, ...created(backend("b")));
const oneOfEach = after(oneBackend, { kind: "createEndpoint", spec: endpoint("e", "b", "/e/:id") });

test("an identical create changes nothing, a different one is refused", () => {
  expect(decide(oneBackend, { kind: "createBackend", spec: backend("b") })).toEqual({ ok: true, value: oneBackend });
  expect(refusal(oneBackend, { kind: "createBackend", spec: backend("b", "class A {}") })).toBe("backend_exists");
  expect(decide(oneOfEach, { kind: "createEndpoint", spec: endpoint("e", "b", "/e/:id") })).toEqual({ ok: true, value: oneOfEach });
  expect(refusal(oneOfEach, { kind: "createEndpoint", spec: endpoint("e", "b", "/other") })).toBe("endpoint_exists");
});

test("a backend in use by traffic or shadow cannot be deleted, and the refusal names every user", () => {
  const both = after(
    oneOfEach,
    ...created(backend("s")),
    { kind: "createEndpoint", spec: endpoint("e2", "b") },
    { kind: "setShadow", endpoint: endpoint("e", "b").name, shadow: { backend: nameOf("s"), proportion: 0.5 } },
  );
  const decided = decide(both, { kind: "deleteBackend", name: nameOf("b") });
  expect(decided).toMatchObject({ ok: false, error: { code: "backend_in_use", details: { endpoints: "e,e2" } } });
  expect(refusal(both, { kind: "deleteBackend", name: nameOf("s") })).toBe("backend_in_use");
});

test("a match rule uses its backend: it must exist, and cannot be deleted", () => {
  const ruled = (to: string): EndpointSpec => ({
    ...endpoint("e", "b"),
    matches: [{ backend: nameOf(to), header: "x-beta", present: true }],
  });
  expect(refusal(oneBackend, { kind: "createEndpoint", spec: ruled("m") })).toBe("backend_not_found");
  const creating = after(oneBackend, { kind: "createBackend", spec: backend("m") });
  expect(refusal(creating, { kind: "createEndpoint", spec: ruled("m") })).toBe("backend_not_ready");
  const inUse = after(oneBackend, ...created(backend("m")), { kind: "createEndpoint", spec: ruled("m") });
  expect(decide(inUse, { kind: "deleteBackend", name: nameOf("m") })).toMatchObject({
    ok: false,
    error: { code: "backend_in_use", message: expect.stringContaining('"e"'), details: { endpoints: "e" } },
  });
  expect(refusal(after(inUse, { kind: "updateEndpoint", spec: endpoint("e", "b") }), { kind: "deleteBackend", name: nameOf("m") })).toBe(
    "accepted",
  );
});

test("deleting what is unknown is fine", () => {
  expect(decide(oneBackend, { kind: "deleteBackend", name: nameOf("none") })).toEqual({ ok: true, value: oneBackend });
  expect(decide(oneBackend, { kind: "deleteEndpoint", name: endpoint("none", "b").name })).toEqual({ ok: true, value: oneBackend });
});

test("routes are taken by their shape, and free at once after a delete", () => {
  expect(refusal(oneOfEach, { kind: "createEndpoint", spec: endpoint("f", "b", "/e/:other") })).toBe("route_taken");
  const freed = after(oneOfEach, { kind: "deleteEndpoint", name: endpoint("e", "b").name });
  expect(refusal(freed, { kind: "createEndpoint", spec: endpoint("f", "b", "/e/:other") })).toBe("accepted");
});

test("endpoints without a route do not collide", () => {
  const one = after(oneBackend, { kind: "createEndpoint", spec: endpoint("h1", "b", null) });
  expect(refusal(one, { kind: "createEndpoint", spec: endpoint("h2", "b", null) })).toBe("accepted");
});

test("traffic and shadows need backends that exist and are created", () => {
  expect(refusal(NOTHING_DESIRED, { kind: "createEndpoint", spec: endpoint("e", "b") })).toBe("backend_not_found");
  const creating = after(NOTHING_DESIRED, { kind: "createBackend", spec: backend("b") });
  expect(refusal(creating, { kind: "createEndpoint", spec: endpoint("e", "b") })).toBe("backend_not_ready");
  expect(
    refusal(oneOfEach, { kind: "setTraffic", endpoint: endpoint("e", "b").name, traffic: [{ backend: nameOf("none"), weight: 1 }] }),
  ).toBe("backend_not_found");
  expect(
    refusal(oneOfEach, { kind: "setTraffic", endpoint: endpoint("none", "b").name, traffic: [{ backend: nameOf("b"), weight: 1 }] }),
  ).toBe("endpoint_not_found");
});

test.each([
  ["limits", { maxConcurrentQueries: 7 }, 1],
  ["user config", { userConfig: { a: 1 } }, 1],
  ["the number of replicas", { numReplicas: 3 }, 1],
  ["environment", { env: { A: "1" } }, 2],
  ["methods", { methods: ["other"] }, 2],
])("a change of %s has the right generation", (_what, config, generation) => {
  const updated = after(oneBackend, { kind: "updateBackend", spec: backend("b", "class {}", config), restart: false });
  expect(updated.backends.get("b")).toMatchObject({ generation, rollout: { phase: "updating" } });
});

test("a restart makes a new generation even where nothing else changes; without it nothing happens", () => {
  expect(after(oneBackend, { kind: "updateBackend", spec: backend("b"), restart: true }).backends.get("b")?.generation).toBe(2);
  expect(after(oneBackend, { kind: "updateBackend", spec: backend("b"), restart: false })).toBe(oneBackend);
});

test("an update while another one is being rolled out is refused", () => {
  const updating = after(oneBackend, { kind: "updateBackend", spec: backend("b"), restart: true });
  expect(refusal(updating, { kind: "updateBackend", spec: backend("b", "class B {}"), restart: false })).toBe("backend_changed");
});

test("a roll-back brings back what was before, and never uses its generation again", () => {
  const updating = after(oneBackend, { kind: "updateBackend", spec: backend("b", "class Bad {}"), restart: false });
  const back = after(updating, { kind: "rollBack", name: "b", generation: 2 });
  expect(back.backends.get("b")).toMatchObject({ spec: backend("b"), generation: 1, rollout: { phase: "steady" } });
  expect(back.revision).toBeGreaterThan(updating.revision);
  expect(after(back, { kind: "updateBackend", spec: backend("b"), restart: true }).backends.get("b")?.generation).toBe(3);
});

test("a create that is rolled back leaves nothing", () => {
  const creating = after(NOTHING_DESIRED, { kind: "createBackend", spec: backend("b") });
  expect(after(creating, { kind: "rollBack", name: "b", generation: 1 }).backends.size).toBe(0);
});

test("the end of a roll-out that is over by now changes nothing", () => {
  expect(after(oneBackend, { kind: "rollBack", name: "b", generation: 1 })).toBe(oneBackend);
  expect(after(oneBackend, { kind: "rolledOut", name: "b", generation: 9 })).toBe(oneBackend);
});

test("names such as __proto__ are plain names", () => {
  const name = "constructor";
  const state = after(NOTHING_DESIRED, ...created(backend(name)), { kind: "createEndpoint", spec: endpoint("toString", name) });
  expect(refusal(state, { kind: "deleteBackend", name: nameOf(name) })).toBe("backend_in_use");
  expect(decide(NOTHING_DESIRED, { kind: "deleteBackend", name: nameOf(name) })).toEqual({ ok: true, value: NOTHING_DESIRED });
});

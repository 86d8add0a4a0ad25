// The routing table: refused whole where anything is wrong, never taken backwards, and compiled for look-ups.
import { expect, test } from "@jest/globals";
import { type EndpointSpec, parseEndpointSpec } from "@headgate/core";
import { allowedMethods, compileTable, isNewer, pickBackend, tableProblem } from "./routing-table.ts";
import type { RoutingTable, TableBackend } from "./table.ts";

type EndpointRules = Parameters<typeof parseEndpointSpec>[0];

function endpoint(
  name: string,
  route: string | null,
  backends: readonly string[],
  methods: readonly string[] = ["GET"],
  rules: Omit<EndpointRules, "name" | "traffic"> = {},
): EndpointSpec {
  const traffic = backends.map((backend) => ({ backend, weight: 1 / backends.length }));
  const parsed = parseEndpointSpec({ name, route, methods, traffic, shadows: [], requestTimeoutMs: 1_000, maxBodyBytes: 10, ...rules });
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

function backend(name: string, ...replicas: string[]): TableBackend {
  return {
    name,
    maxConcurrentQueries: 8,
    maxQueuedRequests: 10,
    replicas: replicas.map((id) => ({ id, address: `unix:/tmp/${id}`, transport: "session" as const })),
  };
}

const table = (changes: Partial<RoutingTable> = {}): RoutingTable => ({
  epoch: "e",
  sequence: 1n,
  revision: 1n,
  endpoints: [endpoint("one", "/one", ["a"]), endpoint("two", "/two/:id", ["a", "b"], ["GET", "POST"])],
  backends: [backend("a", "a-1", "a-2"), backend("b", "b-1")],
  ...changes,
});

test("a good table has no problem, and neither has an empty one", () => {
  expect(tableProblem(table())).toBeNull();
  expect(tableProblem(table({ endpoints: [], backends: [] }))).toBeNull();
});

test.each([
  ["a backend twice", { backends: [backend("a"), backend("a"), backend("b")] }, "a backend stands twice"],
  ["a replica in two backends", { backends: [backend("a", "x"), backend("b", "x")] }, 'replica "x" stands twice'],
  ["an unknown backend", { backends: [backend("a")] }, 'uses backend "b", which is not in the table'],
  [
    "a rule to an unknown backend",
    { endpoints: [endpoint("one", "/one", ["a"], ["GET"], { matches: [{ backend: "m", header: "x", present: true }] })] },
    'uses backend "m", which is not in the table',
  ],
  [
    "two routes of the same shape",
    { endpoints: [endpoint("one", "/x/:a", ["a"]), endpoint("two", "/x/:b", ["a"])] },
    'endpoints "one" and "two" have the same route',
  ],
  ["a broken route", { endpoints: [{ ...endpoint("one", "/one", ["a"]), route: "one" }] }, 'endpoint "one": route must start'],
  [
    "a replica without address",
    { backends: [{ ...backend("a"), replicas: [{ id: "x", address: "", transport: "session" as const }] }, backend("b")] },
    'replica "x" has no address',
  ],
])("a table with %s is refused", (_name, changes, problem) => {
  expect(tableProblem(table(changes))).toContain(problem);
});

test("endpoints without a route do not get in each other's way", () => {
  expect(tableProblem(table({ endpoints: [endpoint("one", null, ["a"]), endpoint("two", null, ["a"])] }))).toBeNull();
});

test("a table is taken only forwards within an epoch, and always from a new epoch", () => {
  const current = { epoch: "e", sequence: 5n };
  expect(isNewer(null, table())).toBe(true);
  expect(isNewer(current, table({ sequence: 6n }))).toBe(true);
  expect(isNewer(current, table({ sequence: 5n }))).toBe(false);
  expect(isNewer(current, table({ sequence: 4n }))).toBe(false);
  expect(isNewer(current, table({ epoch: "f", sequence: 1n }))).toBe(true);
});

test("Allow names HEAD beside GET, and OPTIONS always", () => {
  expect(allowedMethods(["GET"])).toEqual(["GET", "HEAD", "OPTIONS"]);
  expect(allowedMethods(["POST", "PUT"])).toEqual(["OPTIONS", "POST", "PUT"]);
});

test("a compiled table finds endpoints by path and by name, and hands out the shell's own backends and cursors", () => {
  const cursors = new Map([
    ["one", { point: 0.25, shadowPoint: 0 }],
    ["two", { point: 0.5, shadowPoint: 0 }],
  ]);
  const live = new Map<string, { name: string }>();
  const compiled = compileTable(
    table(),
    ({ name }) => {
      const made = { name };
      live.set(name, made);
      return made;
    },
    (name) => cursors.get(name) ?? { point: 0, shadowPoint: 0 },
    () => ({ inFlight: 0, copied: 0, dropped: 0 }),
  );
  const two = compiled.match("/two/7");
  expect(two?.params).toEqual(["id", "7"]);
  expect(two?.value).toBe(compiled.endpoint("two"));
  expect(two?.value.cursor).toBe(cursors.get("two"));
  expect(two?.value.shares.map((share) => share.backend)).toEqual([live.get("a"), live.get("b")]);
  expect(two?.value.shares[0]?.backend).toBe(compiled.endpoint("one")?.shares[0]?.backend);
  expect([...(two?.value.methods ?? [])]).toEqual(["GET", "HEAD", "POST"]);
  expect(two?.value.allow).toBe("GET, HEAD, OPTIONS, POST");
  expect(compiled.match("/three")).toBeNull();
  expect(compiled.endpoint("__proto__")).toBeUndefined();
});

test("traffic leads to a backend by point or by key, and nowhere where there is none", () => {
  const compiled = compileTable(
    table(),
    ({ name }) => name,
    () => ({ point: 0, shadowPoint: 0 }),
    () => ({ inFlight: 0, copied: 0, dropped: 0 }),
  );
  const two = compiled.endpoint("two");
  if (two === undefined) throw new Error("no endpoint");
  expect(pickBackend(two, 0.1, null)).toBe("a");
  expect(pickBackend(two, 0.9, null)).toBe("b");
  const sticky = pickBackend(two, 0.1, "user-1");
  for (let point = 0; point < 1; point += 0.1) expect(pickBackend(two, point, "user-1")).toBe(sticky);
  expect(pickBackend({ ...two, shares: [] }, 0.1, null)).toBeNull();
});

test("an endpoint with nothing beside its split has nothing to be looked at; a rule's backend and a lane are the shell's own", () => {
  const lane = { inFlight: 0, copied: 0, dropped: 0 };
  const compiled = compileTable(
    table({
      endpoints: [
        endpoint("plain", "/plain", ["a"]),
        endpoint("ruled", "/ruled", ["a"], ["GET"], {
          matches: [{ backend: "b", cookie: "group", prefix: "beta" }],
          previewHeader: "x-preview",
          affinity: { cookie: "ab" },
          cors: { origins: "*" },
          shadows: [{ backend: "b", proportion: 0.5 }],
        }),
      ],
    }),
    ({ name }) => name,
    () => ({ point: 0, shadowPoint: 0 }),
    (name, to) => (name === "ruled" && to === "b" ? lane : { ...lane }),
  );
  expect(compiled.endpoint("plain")).toMatchObject({ steering: null, affinity: null, cors: null, shadows: [] });
  const ruled = compiled.endpoint("ruled");
  expect(ruled).toMatchObject({
    steering: { previewHeader: "x-preview", rules: [{ backend: "b" }] },
    affinity: { cookie: "ab" },
    cors: { origins: "*" },
  });
  expect([...(ruled?.steering?.previews ?? [])]).toEqual([["a", "a"]]);
  expect(ruled?.shadows[0]?.lane).toBe(lane);
});

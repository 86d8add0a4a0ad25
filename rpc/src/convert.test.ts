// The rim: what is valid goes over the wire and comes back the same; what is not is refused with the field's name.
import { expect, test } from "@jest/globals";
import { type BackendSpec, DEFAULT_BACKEND_CONFIG, LIMITS, parseBackendConfig, parseBackendSpec } from "@headgate/core";
import * as pb from "@headgate/proto/backend";
import fc from "fast-check";
import { backendSpecFromProto, backendSpecToProto, configChangesFromProto, configToProto, handlerFromProto } from "./convert.ts";

const RUNS = { numRuns: 300 };
const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,12}$/);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}[A-Za-z0-9]$/);
// -0 is left out, as JSON has none; so are the keys that no protobuf map of JavaScript objects can carry.
const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value): unknown => JSON.parse(JSON.stringify(value).replaceAll('"__proto__"', '"proto"')))
  .filter((value) => !JSON.stringify(value).includes('"__proto__"'));
const handler = fc.oneof(
  fc.record({
    kind: fc.constant("inline" as const),
    source: fc.string({ minLength: 1, unit: "grapheme" }).filter((source) => source.trim() !== ""),
    shape: fc.constant("class" as const),
    acceptsBatches: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("module" as const), path: word.map((path) => `./${path}.ts`), exportName: word }),
  fc.record({
    kind: fc.constant("command" as const),
    command: fc.array(fc.stringMatching(/^[ -~]{1,9}$/), { minLength: 1, maxLength: 4 }),
  }),
);
const settings = fc.record(
  {
    numReplicas: fc.integer({ min: 1, max: LIMITS.numReplicas }),
    maxConcurrentQueries: fc.integer({ min: 1, max: LIMITS.maxConcurrentQueries }),
    maxQueuedRequests: fc.integer({ min: 0, max: LIMITS.maxQueuedRequests }),
    batchWaitTimeoutMs: fc.integer({ min: 0, max: LIMITS.batchWaitTimeoutMs }),
    maxConcurrentBatches: fc.integer({ min: 1, max: LIMITS.maxConcurrentBatches }),
    drainTimeoutMs: fc.integer({ min: 0, max: LIMITS.maxDrainTimeoutMs }),
    userConfig: json,
    env: fc.dictionary(
      fc.stringMatching(/^[A-G][A-Z_]{0,8}$/),
      fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
    ),
    methods: fc
      .uniqueArray(word, { minLength: 1, maxLength: 5 })
      .filter((list) => !list.some((method) => method === "constructor" || method === "reconfigure")),
  },
  { requiredKeys: [] },
);

const backend = fc
  .record({ name, handler, args: fc.array(json, { maxLength: 4 }), settings, maxBatchSize: fc.option(fc.integer({ min: 1, max: 100 })) })
  .map(({ settings: config, maxBatchSize, ...rest }): BackendSpec => {
    const batches = rest.handler.kind !== "inline" || rest.handler.acceptsBatches;
    return accepted(parseBackendSpec({ ...rest, config: { ...config, maxBatchSize: batches ? maxBatchSize : null } }));
  });

function accepted<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: { readonly message: string } },
): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

test("a backend comes back from the wire as it was", () => {
  fc.assert(
    fc.property(backend, (spec) => {
      const wire = pb.BackendSpec.encode(backendSpecToProto(spec)).finish();
      expect(backendSpecFromProto(pb.BackendSpec.decode(wire))).toEqual({ ok: true, value: spec });
    }),
    RUNS,
  );
});

test("settings change the fields that a message names and no others", () => {
  fc.assert(
    fc.property(settings, settings, (before, change) => {
      const base = accepted(parseBackendConfig(before));
      // An empty map or list in a message names nothing; config_fields does.
      const message = pb.BackendConfig.decode(pb.BackendConfig.encode(pb.BackendConfig.fromPartial(change)).finish());
      const changes = accepted(configChangesFromProto(message));
      const { env, ...others } = change;
      const named = env !== undefined && Object.keys(env).length > 0 ? change : others;
      expect(accepted(parseBackendConfig(changes, base))).toEqual(accepted(parseBackendConfig(named, base)));
    }),
    RUNS,
  );
});

test("config_fields empties what a message cannot name otherwise", () => {
  const base = { ...DEFAULT_BACKEND_CONFIG, env: { A: "1" }, methods: ["predict"], maxBatchSize: 8 };
  const changes = accepted(configChangesFromProto(undefined, ["env", "methods", "max_batch_size"]));
  expect(accepted(parseBackendConfig(changes, base))).toEqual(DEFAULT_BACKEND_CONFIG);
  expect(configChangesFromProto(undefined, ["numReplicas"])).toMatchObject({
    ok: false,
    error: { code: "unknown_field", details: { field: "numReplicas" } },
  });
});

test("every setting has a field of the same name on the wire", () => {
  expect(Object.keys(configToProto(DEFAULT_BACKEND_CONFIG)).sort()).toEqual(Object.keys(DEFAULT_BACKEND_CONFIG).sort());
});

test.each([
  ["no spec", () => backendSpecFromProto(undefined), "spec"],
  ["no handler", () => handlerFromProto(undefined), "handler"],
  ["a handler of no kind", () => handlerFromProto({ kind: undefined }), "handler"],
  [
    "a handler that is neither function nor class",
    () =>
      handlerFromProto({
        kind: { $case: "inline", value: { source: "1", shape: pb.InlineHandler_Shape.UNSPECIFIED, acceptsBatches: false } },
      }),
    "handler",
  ],
  ["a bad name", () => backendSpecFromProto({ ...backendSpecToProto(plainBackend()), name: "../x" }), "name"],
])("a message with %s is refused by its field", (_, convert, field) => {
  expect(convert()).toMatchObject({ ok: false, error: { code: "invalid_argument", details: { field } } });
});

test("a module without an export's name means its default export", () => {
  expect(handlerFromProto({ kind: { $case: "module", value: { path: "./a.ts", exportName: "" } } })).toMatchObject({
    value: { exportName: "default" },
  });
});

function plainBackend(): BackendSpec {
  return accepted(parseBackendSpec({ name: "b", handler: { kind: "command", command: ["x"] }, args: [], config: undefined }));
}

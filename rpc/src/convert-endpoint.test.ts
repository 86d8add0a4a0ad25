// The rim, endpoints: what is valid goes over the wire and comes back the same; a change names what it changes, and what it ends.
import { expect, test } from "@jest/globals";
import { type EndpointSpec, LIMITS, parseEndpointSpec } from "@headgate/core";
import * as pbc from "@headgate/proto/controller";
import * as pb from "@headgate/proto/endpoint";
import fc from "fast-check";
import {
  affinityToProto,
  corsToProto,
  endpointChangesFromProto,
  endpointSpecFromProto,
  endpointSpecToProto,
  ruleToProto,
} from "./convert-endpoint.ts";

const RUNS = { numRuns: 300 };
const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,12}$/);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}[A-Za-z0-9]$/);
const names = fc.oneof(fc.constant("*" as const), fc.uniqueArray(word, { maxLength: 4, selector: (one) => one.toLowerCase() }));
const text = fc.stringMatching(/^[ -~]{1,20}$/);
const origins = fc.uniqueArray(
  word.map((host) => `https://${host.toLowerCase().replaceAll("_", "-")}.example:8443`),
  { minLength: 1, maxLength: 4 },
);
const cors = fc
  .record({
    origins: fc.oneof(fc.constant("*" as const), origins),
    methods: fc.option(fc.uniqueArray(fc.constantFrom("GET", "POST"), { minLength: 1 })),
    headers: names,
    exposeHeaders: names,
    credentials: fc.boolean(),
    maxAgeS: fc.integer({ min: 0, max: LIMITS.corsMaxAgeS }),
  })
  .map((policy) => ({ ...policy, credentials: policy.credentials && policy.origins !== "*" && policy.exposeHeaders !== "*" }));
const rule = fc
  .tuple(
    name,
    fc.oneof(
      fc.record({ header: word.filter((one) => !/^(te|trailer|expect|connection|upgrade)$/i.test(one)) }),
      fc.record({ cookie: word }),
    ),
    fc.oneof(fc.record({ value: fc.oneof(text, fc.constant("")) }), fc.record({ prefix: text }), fc.constant({ present: true as const })),
  )
  .map(([backend, source, test]) => ({ backend, ...source, ...test }));

const endpoint = fc
  .record({
    name,
    route: fc.option(fc.array(word, { maxLength: 4 }).map((words) => `/${words.join("/")}`)),
    methods: fc.uniqueArray(fc.constantFrom("GET", "POST", "PUT", "patch"), { maxLength: 4 }),
    backends: fc.uniqueArray(name, { minLength: 1, maxLength: 5 }),
    shadows: fc.uniqueArray(fc.record({ backend: name, proportion: fc.double({ min: 0, max: 1, noNaN: true }) }), {
      maxLength: 4,
      selector: (shadow) => shadow.backend,
    }),
    requestTimeoutMs: fc.integer({ min: 0, max: LIMITS.maxRequestTimeoutMs }),
    maxBodyBytes: fc.integer({ min: 0, max: LIMITS.maxRequestBodyBytes }),
    cors: fc.option(cors),
    affinity: fc.option(fc.record({ cookie: word, maxAgeS: fc.option(fc.integer({ min: 1, max: LIMITS.cookieMaxAgeS })) })),
    matches: fc.array(rule, { maxLength: LIMITS.matchesPerEndpoint }),
    previewHeader: fc.option(word.map((one) => `x-${one}`)),
  })
  .map(
    ({ backends, ...rest }): EndpointSpec =>
      accepted(parseEndpointSpec({ ...rest, traffic: backends.map((one) => ({ backend: one, weight: 1 / backends.length })) })),
  );

function accepted<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: { readonly message: string } },
): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

test("an endpoint comes back from the wire as it was", () => {
  fc.assert(
    fc.property(endpoint, (spec) => {
      const wire = pb.EndpointSpec.encode(endpointSpecToProto(spec)).finish();
      expect(endpointSpecFromProto(pb.EndpointSpec.decode(wire))).toEqual({ ok: true, value: spec });
    }),
    RUNS,
  );
});

test("an endpoint of an older peer, without the fields that it does not know, has none of what they say", () => {
  const wire = pb.EndpointSpec.encode(pb.EndpointSpec.fromPartial({ name: "e", traffic: [{ backend: "b", weight: 1 }] })).finish();
  expect(endpointSpecFromProto(pb.EndpointSpec.decode(wire))).toEqual({ ok: true, value: plain() });
});

test("a change lays what it names over an endpoint and ends what it says it replaces", () => {
  fc.assert(
    fc.property(endpoint, endpoint, fc.subarray(["cors", "affinity", "matches"] as const), (before, after, ended) => {
      const message = pbc.UpdateEndpointRequest.fromPartial({
        name: before.name,
        cors: corsToProto(after.cors),
        affinity: affinityToProto(after.affinity),
        matches: after.matches.map(ruleToProto),
        replacedFields: [...ended],
      });
      const changes = accepted(
        endpointChangesFromProto(pbc.UpdateEndpointRequest.decode(pbc.UpdateEndpointRequest.encode(message).finish())),
      );
      const expected = {
        ...before,
        cors: after.cors ?? (ended.includes("cors") ? null : before.cors),
        affinity: after.affinity ?? (ended.includes("affinity") ? null : before.affinity),
        matches: after.matches.length > 0 ? after.matches : ended.includes("matches") ? [] : before.matches,
      };
      expect(parseEndpointSpec({ ...before, ...changes })).toEqual({ ok: true, value: expected });
    }),
    RUNS,
  );
});

test("an empty preview header in a change ends it, none leaves it as it was", () => {
  const before = accepted(parseEndpointSpec({ ...plain(), previewHeader: "x-preview" }));
  const changed = (change: { previewHeader?: string }): string | null =>
    accepted(parseEndpointSpec({ ...before, ...accepted(endpointChangesFromProto(pbc.UpdateEndpointRequest.fromPartial(change))) }))
      .previewHeader;
  expect(changed({ previewHeader: "" })).toBeNull();
  expect(changed({ previewHeader: "X-Other" })).toBe("x-other");
  expect(changed({})).toBe("x-preview");
});

test("every setting has a field of the same name on the wire", () => {
  expect(Object.keys(endpointSpecToProto(plain())).sort()).toEqual(Object.keys(plain()).sort());
});

test.each([
  ["no endpoint", undefined, "spec"],
  ["no traffic", pb.EndpointSpec.fromPartial({ name: "e" }), "traffic"],
  ["a body limit beyond what a number holds", { ...endpointSpecToProto(plain()), maxBodyBytes: 2n ** 64n - 1n }, "maxBodyBytes"],
  ["a policy without origins", { ...endpointSpecToProto(plain()), cors: pb.CorsPolicy.fromPartial({}) }, "cors.origins"],
  ["a rule that looks nowhere", { ...endpointSpecToProto(plain()), matches: [pb.MatchRule.fromPartial({ backend: "b" })] }, "matches.0"],
  ["affinity without a cookie", { ...endpointSpecToProto(plain()), affinity: pb.Affinity.fromPartial({}) }, "affinity.cookie"],
])("a message with %s is refused by its field", (_, message, field) => {
  expect(endpointSpecFromProto(message)).toMatchObject({ ok: false, error: { code: "invalid_argument", details: { field } } });
});

test("a change that ends a field of another name is refused by it", () => {
  expect(endpointChangesFromProto(pbc.UpdateEndpointRequest.fromPartial({ replacedFields: ["route"] }))).toMatchObject({
    ok: false,
    error: { code: "unknown_field", details: { field: "route" } },
  });
});

function plain(): EndpointSpec {
  return accepted(parseEndpointSpec({ name: "e", traffic: [{ backend: "b", weight: 1 }] }));
}

// The rim: messages of endpoints to domain types and back; those of backends stand in convert.ts.
// Into the domain everything is checked, as it may come from anyone; out of it every field is written out.

import {
  type Affinity,
  type CorsPolicy,
  type EndpointSpec,
  type MatchRule,
  type Refusal,
  type Result,
  err,
  fault,
  ok,
  parseEndpointSpec,
} from "@headgate/core";
import type * as pbc from "@headgate/proto/controller";
import type * as pb from "@headgate/proto/endpoint";

/** An endpoint out of its message, checked. */
export function endpointSpecFromProto(message: pb.EndpointSpec | undefined): Result<EndpointSpec, Refusal> {
  if (message === undefined) return err(fault("invalid_argument", "spec is missing", { field: "spec" }));
  return parseEndpointSpec({
    name: message.name,
    route: message.route,
    methods: message.methods,
    traffic: message.traffic,
    shadows: message.shadows,
    requestTimeoutMs: message.requestTimeoutMs,
    maxBodyBytes: Number(message.maxBodyBytes),
    cors: message.cors,
    affinity: message.affinity,
    matches: message.matches.map(ruleFromProto),
    previewHeader: message.previewHeader,
  });
}

/** An endpoint as its message. */
export function endpointSpecToProto(spec: EndpointSpec): pb.EndpointSpec {
  return {
    name: spec.name,
    route: spec.route ?? "",
    methods: [...spec.methods],
    traffic: spec.traffic.map((share) => ({ ...share })),
    shadows: spec.shadows.map((shadow) => ({ ...shadow })),
    requestTimeoutMs: spec.requestTimeoutMs,
    maxBodyBytes: BigInt(spec.maxBodyBytes),
    cors: corsToProto(spec.cors),
    affinity: affinityToProto(spec.affinity),
    matches: spec.matches.map(ruleToProto),
    previewHeader: spec.previewHeader ?? "",
  };
}

/** Settings of an endpoint by their domain names, as a change names them. */
export type EndpointChanges = Partial<Omit<Parameters<typeof parseEndpointSpec>[0], "name" | "traffic" | "shadows">>;

/** Settings that a change can end by leaving them out, by their names on the wire. */
const REPLACED: ReadonlyMap<string, EndpointChanges> = new Map<string, EndpointChanges>([
  ["cors", { cors: null }],
  ["affinity", { affinity: null }],
  ["matches", { matches: [] }],
]);

/** The settings that a change of an endpoint names, unchecked, to be laid over those in force. */
export function endpointChangesFromProto(message: pbc.UpdateEndpointRequest): Result<EndpointChanges, Refusal> {
  let changes: EndpointChanges = {};
  for (const field of message.replacedFields) {
    const none = REPLACED.get(field);
    if (none === undefined) {
      return err(
        fault("unknown_field", `replaced_fields can name ${[...REPLACED.keys()].join(", ")}, not "${field.slice(0, 80)}"`, { field }),
      );
    }
    changes = { ...changes, ...none };
  }
  return ok({
    ...changes,
    ...(message.route === undefined ? {} : { route: message.route }),
    ...(message.methods.length === 0 ? {} : { methods: message.methods }),
    ...(message.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: message.requestTimeoutMs }),
    ...(message.maxBodyBytes === undefined ? {} : { maxBodyBytes: Number(message.maxBodyBytes) }),
    ...(message.cors === undefined ? {} : { cors: message.cors }),
    ...(message.affinity === undefined ? {} : { affinity: message.affinity }),
    ...(message.matches.length === 0 ? {} : { matches: message.matches.map(ruleFromProto) }),
    ...(message.previewHeader === undefined ? {} : { previewHeader: message.previewHeader }),
  });
}

/** A CORS policy as its message. */
export function corsToProto(cors: CorsPolicy | null): pb.CorsPolicy | undefined {
  if (cors === null) return undefined;
  return {
    origins: listed(cors.origins),
    methods: [...(cors.methods ?? [])],
    headers: listed(cors.headers),
    exposeHeaders: listed(cors.exposeHeaders),
    credentials: cors.credentials,
    maxAgeS: cors.maxAgeS,
  };
}

const listed = (list: "*" | readonly string[]): string[] => (list === "*" ? ["*"] : [...list]);

/** Affinity as its message. */
export function affinityToProto(affinity: Affinity | null): pb.Affinity | undefined {
  return affinity === null ? undefined : { cookie: affinity.cookie, maxAgeS: affinity.maxAgeS ?? undefined };
}

/** A match rule as its message. */
export function ruleToProto(rule: MatchRule): pb.MatchRule {
  return { backend: rule.backend, source: sourceToProto(rule), test: testToProto(rule) };
}

function sourceToProto(rule: MatchRule): pb.MatchRule["source"] {
  return "header" in rule ? { $case: "header", value: rule.header } : { $case: "cookie", value: rule.cookie };
}

function testToProto(rule: MatchRule): pb.MatchRule["test"] {
  if ("value" in rule) return { $case: "value", value: rule.value };
  return "prefix" in rule ? { $case: "prefix", value: rule.prefix } : { $case: "present", value: true };
}

/** A rule out of its message, in the form that the domain's check takes. */
function ruleFromProto({ backend, source, test }: pb.MatchRule): Readonly<Record<string, unknown>> {
  return {
    backend,
    ...(source === undefined ? {} : { [source.$case]: source.value }),
    ...(test === undefined ? {} : { [test.$case]: test.value }),
  };
}

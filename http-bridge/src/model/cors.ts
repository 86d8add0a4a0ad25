// The CORS protocol of the Fetch standard for one endpoint: what its answers say to a browser, and what a preflight is told.
// Compiled once for each policy in force, so that a request costs one look-up. Pure.

import type { CorsPolicy } from "@headgate/core";
import { type FieldList, type ResponseFields, fieldList } from "./response.ts";

/** What an endpoint adds to an answer beside the handler's fields. */
export interface ExtraFields extends FieldList {
  /** Whether a handler's own CORS fields give way to them. */
  readonly ownsCors: boolean;
}

/** A policy, compiled. */
export interface CompiledCors {
  readonly policy: CorsPolicy;
  /** For answers to a request of no origin, or of one that is not let in. */
  readonly stranger: ExtraFields;
  /** For answers to an origin that is listed. */
  readonly listed: ReadonlyMap<string, ExtraFields>;
  /** For answers to any other origin; null: it is a stranger. */
  readonly any: ExtraFields | null;
}

/** Compiles a policy. */
export function compileCors(policy: CorsPolicy): CompiledCors {
  const { origins, credentials, exposeHeaders } = policy;
  const more = [
    ...(credentials ? ["access-control-allow-credentials", "true"] : []),
    ...(exposeHeaders.length === 0 ? [] : ["access-control-expose-headers", joined(exposeHeaders)]),
  ];
  const answer = (...list: readonly string[]): ExtraFields => ({ ...fieldList([...list, "vary", "Origin"]), ownsCors: true });
  const admitted = (origin: string): ExtraFields => answer("access-control-allow-origin", origin, ...more);
  return {
    policy,
    stranger: answer(),
    listed: new Map(origins === "*" ? [] : origins.map((origin) => [origin, admitted(origin)])),
    any: origins === "*" ? admitted("*") : null,
  };
}

const joined = (names: "*" | readonly string[]): string => (names === "*" ? "*" : names.join(", "));

/** What answers to a request of this origin add. Null: it names none. */
export function corsFields({ stranger, listed, any }: CompiledCors, origin: string | null): ExtraFields {
  if (origin === null) return stranger;
  return listed.get(origin) ?? any ?? stranger;
}

/** What a preflight of this origin is told beside corsFields(). `methods` are the endpoint's, for a policy without its own. */
export function preflightFields(cors: CompiledCors, origin: string, methods: string, asked: string | null): readonly string[] {
  const vary = ["vary", "Access-Control-Request-Method, Access-Control-Request-Headers"];
  if (corsFields(cors, origin) === cors.stranger) return vary;
  const { policy } = cors;
  const headers = policy.headers === "*" ? echoed(asked) : policy.headers.join(", ");
  return [
    "access-control-allow-methods",
    policy.methods === null ? methods : policy.methods.join(", "),
    ...(headers === "" ? [] : ["access-control-allow-headers", headers]),
    "access-control-max-age",
    String(policy.maxAgeS),
    ...vary,
  ];
}

const NAMES = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: *, *[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/;
const MOST_ECHOED = 2_048;

/** What a preflight asks for, told back, as "*" would leave Authorization out; nothing where it is no list of names. */
function echoed(asked: string | null): string {
  return asked !== null && asked.length <= MOST_ECHOED && NAMES.test(asked) ? asked : "";
}

/** A handler's fields without those of CORS; the same object where it has none. */
export function withoutCors(fields: ResponseFields): ResponseFields {
  const { list } = fields;
  let found = false;
  for (let i = 0; i < list.length; i += 2) if (isCors(list[i] ?? "")) found = true;
  if (!found) return fields;
  const kept: string[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] ?? "";
    if (!isCors(name)) kept.push(name, list[i + 1] ?? "");
  }
  return { ...fields, ...fieldList(kept) };
}

const isCors = (name: string): boolean => name.startsWith("access-control-");

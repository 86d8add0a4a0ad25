// What decides over a request's backend beside the split: match rules, a preview header, and the cookie of sticky users.
// Types and checks. How a request is held against them stands in client/src/model/steering.ts.

import { checkInteger, checkRecord, invalid, shown } from "./checks.ts";
import { type Refusal, fault } from "./faults.ts";
import { parseCookieName, parseSeenFieldName } from "./field-names.ts";
import { LIMITS } from "./limits.ts";
import { type BackendName, parseBackendName } from "./names.ts";
import { type Result, err, ok } from "./result.ts";
import { utf8Bytes } from "./text.ts";

/** Where a match rule looks: a request field by its name in lower case, or a cookie. */
export type MatchSource = { readonly header: string } | { readonly cookie: string };

/** What a match rule wants there: exactly this, something that begins so, or anything at all. */
export type MatchTest = { readonly value: string } | { readonly prefix: string } | { readonly present: true };

/** A rule that sends requests to one backend, whatever the split says. */
export type MatchRule = { readonly backend: BackendName } & MatchSource & MatchTest;

/** A rule as asked for. */
export type MatchRuleInput = { readonly backend: string } & MatchSource & MatchTest;

/** Sticky users: a cookie that holds the shard key, and that the bridge sets where it is missing. */
export interface Affinity {
  readonly cookie: string;
  /** How long a browser keeps the cookie, in seconds; null: until it is closed. */
  readonly maxAgeS: number | null;
}

/** Affinity as asked for. */
export interface AffinityInput {
  readonly cookie: string;
  readonly maxAgeS?: number | null | undefined;
}

const RULE_FIELDS = ["backend", "header", "cookie", "value", "prefix", "present"] as const;
const RULE_FORM = '{ backend: "b", header: "x-beta", value: "1" }';
// ASCII alone: what other bytes of a field mean is anybody's guess (RFC 9110, section 5.5).
const TEXT = /^[\t\x20-\x7e]*$/;

/** Checks match rules; their order stays. Null or undefined: none. */
export function parseMatches(value: unknown): Result<readonly MatchRule[], Refusal> {
  if (value === null || value === undefined) return ok([]);
  if (!Array.isArray(value)) return invalid("matches", `matches must be a list of rules such as ${RULE_FORM}, not ${shown(value)}`);
  if (value.length > LIMITS.matchesPerEndpoint) {
    return invalid("matches", `an endpoint can have at most ${LIMITS.matchesPerEndpoint} match rules`);
  }
  const rules: MatchRule[] = [];
  for (const [index, entry] of (value as readonly unknown[]).entries()) {
    const rule = parseRule(`matches.${index}`, entry);
    if (!rule.ok) return rule;
    rules.push(rule.value);
  }
  return ok(rules);
}

function parseRule(field: string, value: unknown): Result<MatchRule, Refusal> {
  const record = checkRecord(field, value, RULE_FIELDS);
  if (!record.ok) return record;
  const { backend: to } = record.value;
  const backend = parseBackendName(to);
  if (!backend.ok) return invalid(`${field}.backend`, `${field} needs the backend that it sends to: ${backend.error.message}`);
  const source = parseSource(field, record.value);
  if (!source.ok) return source;
  const test = parseTest(field, record.value);
  return test.ok ? ok({ backend: backend.value, ...source.value, ...test.value }) : test;
}

function parseSource(field: string, { header, cookie }: Readonly<Record<string, unknown>>): Result<MatchSource, Refusal> {
  if ((header === undefined) === (cookie === undefined)) {
    return invalid(field, `${field} needs either a header or a cookie to look at, such as ${RULE_FORM}`);
  }
  if (header === undefined) {
    const name = parseCookieName(`${field}.cookie`, cookie);
    return name.ok ? ok({ cookie: name.value }) : name;
  }
  const name = parseSeenFieldName(`${field}.header`, header);
  return name.ok ? ok({ header: name.value }) : name;
}

function parseTest(field: string, { value, prefix, present }: Readonly<Record<string, unknown>>): Result<MatchTest, Refusal> {
  if ([value, prefix, present].filter((test) => test !== undefined).length !== 1) {
    return invalid(field, `${field} needs exactly one of value, prefix and present: true`);
  }
  if (present !== undefined) return present === true ? ok({ present }) : invalid(`${field}.present`, `${field}.present can only be true`);
  const [name, text] = value === undefined ? (["prefix", prefix] as const) : (["value", value] as const);
  if (typeof text !== "string" || !TEXT.test(text) || text.length > LIMITS.matchValueBytes) {
    return invalid(
      `${field}.${name}`,
      `${field}.${name} must be printable ASCII text of at most ${LIMITS.matchValueBytes} bytes, not ${shown(text)}`,
    );
  }
  if (name === "value") return ok({ value: text });
  return text === ""
    ? invalid(`${field}.prefix`, `${field}.prefix is empty; present: true matches whatever is there`)
    : ok({ prefix: text });
}

const AFFINITY_FIELDS = ["cookie", "maxAgeS"] as const;

/** Checks affinity; null or undefined: none. */
export function parseAffinity(value: unknown): Result<Affinity | null, Refusal> {
  if (value === null || value === undefined) return ok(null);
  const record = checkRecord("affinity", value, AFFINITY_FIELDS);
  if (!record.ok) return record;
  const cookie = parseCookieName("affinity.cookie", record.value.cookie);
  if (!cookie.ok) return cookie;
  const { maxAgeS } = record.value;
  if (maxAgeS === null || maxAgeS === undefined) return ok({ cookie: cookie.value, maxAgeS: null });
  const age = checkInteger("affinity.maxAgeS", maxAgeS, 1, LIMITS.cookieMaxAgeS);
  return age.ok ? ok({ cookie: cookie.value, maxAgeS: age.value }) : age;
}

/** Fields that a handler cannot do without, so that they cannot be a preview header, which is not handed on. */
const NEEDED = new Set(["host", "cookie", "authorization", "content-type", "accept", "origin"]);

/** Checks the name of a preview header; null, undefined or empty: none. */
export function parsePreviewHeader(value: unknown): Result<string | null, Refusal> {
  if (value === null || value === undefined || value === "") return ok(null);
  const name = parseSeenFieldName("previewHeader", value);
  if (!name.ok || !NEEDED.has(name.value)) return name;
  return invalid(
    "previewHeader",
    `previewHeader cannot be ${shown(name.value)}, as it is not handed on; take a name of your own, such as "x-preview"`,
  );
}

/** Checks a shard key: text that is not empty and within the limit. */
export function parseShardKey(value: unknown): Result<string, Refusal> {
  if (typeof value === "string" && value !== "" && utf8Bytes(value) <= LIMITS.shardKeyBytes) return ok(value);
  const message = `a shard key must be text of 1 to ${LIMITS.shardKeyBytes} bytes, not ${shown(value)}`;
  return err(fault("invalid_argument", message, { field: "shardKey", limit: "shardKeyBytes" }));
}

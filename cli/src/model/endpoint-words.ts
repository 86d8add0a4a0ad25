// Words of a command line as settings of an endpoint: lists, a CORS policy, sticky users, match rules. Pure.

import type { EndpointChange } from "@headgate/client";
import { type AffinityInput, type CorsInput, type MatchRuleInput, type Refusal, type Result, err, fault, ok } from "@headgate/core";
import { parseNumber } from "./settings.ts";

/** Options of `endpoint create` and `endpoint update` as commander gives them; false: the option that takes a setting away. */
export interface EndpointWords {
  readonly route?: string;
  readonly methods?: string;
  readonly requestTimeoutMs?: string;
  readonly maxBodyBytes?: string;
  readonly corsOrigin?: readonly string[];
  readonly corsMethods?: string;
  readonly corsHeaders?: string;
  readonly corsExposeHeaders?: string;
  readonly corsCredentials?: boolean;
  readonly corsMaxAgeS?: string;
  readonly cors?: boolean;
  readonly stickyCookie?: string | false;
  readonly stickyMaxAgeS?: string;
  readonly match?: readonly string[] | false;
  readonly previewHeader?: string | false;
}

const refused = (message: string): { readonly ok: false; readonly error: Refusal } => err(fault("invalid_argument", message));

/** The settings that the words name. What they mean is checked where they are used. */
export function endpointSettings(words: EndpointWords): Result<EndpointChange, Refusal> {
  const requestTimeoutMs = numberOf("--request-timeout-ms", words.requestTimeoutMs);
  if (!requestTimeoutMs.ok) return requestTimeoutMs;
  const maxBodyBytes = numberOf("--max-body-bytes", words.maxBodyBytes);
  if (!maxBodyBytes.ok) return maxBodyBytes;
  const cors = corsOf(words);
  if (!cors.ok) return cors;
  const affinity = affinityOf(words);
  if (!affinity.ok) return affinity;
  const matches = matchesOf(words.match);
  if (!matches.ok) return matches;
  const { route, methods, previewHeader } = words;
  return ok({
    ...(route === undefined ? {} : { route: route === "" ? null : route }),
    ...(methods === undefined ? {} : { methods: listOf(methods) }),
    ...(requestTimeoutMs.value === undefined ? {} : { requestTimeoutMs: requestTimeoutMs.value }),
    ...(maxBodyBytes.value === undefined ? {} : { maxBodyBytes: maxBodyBytes.value }),
    ...(cors.value === undefined ? {} : { cors: cors.value }),
    ...(affinity.value === undefined ? {} : { affinity: affinity.value }),
    ...(matches.value === undefined ? {} : { matches: matches.value }),
    ...(previewHeader === undefined ? {} : { previewHeader: previewHeader === false ? null : previewHeader }),
  });
}

const listOf = (text: string): readonly string[] =>
  text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");

function numberOf(flag: string, text: string | undefined): Result<number | undefined, Refusal> {
  if (text === undefined) return ok(undefined);
  const value = parseNumber(text);
  return value === null ? refused(`${flag} must be a number, not "${text}"`) : ok(value);
}

function corsOf(words: EndpointWords): Result<CorsInput | null | undefined, Refusal> {
  const { corsOrigin, corsMethods, corsHeaders, corsExposeHeaders, corsCredentials, corsMaxAgeS } = words;
  const rest = [corsMethods, corsHeaders, corsExposeHeaders, corsCredentials, corsMaxAgeS];
  if (corsOrigin === undefined) {
    if (rest.some((word) => word !== undefined)) return refused("the --cors-… options need --cors-origin, as a policy is set as a whole");
    return ok(words.cors === false ? null : undefined);
  }
  const maxAgeS = numberOf("--cors-max-age-s", corsMaxAgeS);
  if (!maxAgeS.ok) return maxAgeS;
  return ok({
    origins: corsOrigin,
    ...(corsMethods === undefined ? {} : { methods: listOf(corsMethods) }),
    ...(corsHeaders === undefined ? {} : { headers: listOf(corsHeaders) }),
    ...(corsExposeHeaders === undefined ? {} : { exposeHeaders: listOf(corsExposeHeaders) }),
    ...(corsCredentials === undefined ? {} : { credentials: corsCredentials }),
    ...(maxAgeS.value === undefined ? {} : { maxAgeS: maxAgeS.value }),
  });
}

function affinityOf({ stickyCookie, stickyMaxAgeS }: EndpointWords): Result<AffinityInput | null | undefined, Refusal> {
  const maxAgeS = numberOf("--sticky-max-age-s", stickyMaxAgeS);
  if (!maxAgeS.ok) return maxAgeS;
  if (typeof stickyCookie === "string")
    return ok({ cookie: stickyCookie, ...(maxAgeS.value === undefined ? {} : { maxAgeS: maxAgeS.value }) });
  if (maxAgeS.value !== undefined) return refused("--sticky-max-age-s needs --sticky-cookie");
  return ok(stickyCookie === false ? null : undefined);
}

function matchesOf(words: readonly string[] | false | undefined): Result<readonly MatchRuleInput[] | undefined, Refusal> {
  if (words === undefined) return ok(undefined);
  const rules: MatchRuleInput[] = [];
  for (const word of words === false ? [] : words) {
    const rule = parseMatchWord(word);
    if (!rule.ok) return rule;
    rules.push(rule.value);
  }
  return ok(rules);
}

// The first ":" ends the kind and the last one begins the backend, as neither holds one; so a value may.
const MATCH_WORD = /^(header|cookie):([^:=]+?)(?:(\^?=)(.*))?:([^:]+)$/;

/** A match rule out of one word: "header:x-beta=1:next", "cookie:group^=b:next", "header:x-debug:next". */
export function parseMatchWord(word: string): Result<MatchRuleInput, Refusal> {
  const parts = MATCH_WORD.exec(word);
  const [, kind, name = "", sign, text = "", backend = ""] = parts ?? [];
  if (parts === null) {
    return refused(
      `"${word}" is no match rule: write header:NAME=VALUE:BACKEND or cookie:NAME=VALUE:BACKEND, ^= for a prefix, no = for any value`,
    );
  }
  const source = kind === "header" ? { header: name } : { cookie: name };
  const test = sign === undefined ? { present: true as const } : sign === "=" ? { value: text } : { prefix: text };
  return ok({ backend, ...source, ...test });
}

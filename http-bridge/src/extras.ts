// What an endpoint's settings add to its requests and answers in the bridge: CORS and the key of sticky users.
// Only asked where an endpoint has such a setting. What the fields say stands in model/.

import { randomBytes } from "node:crypto";
import { cookieOf, fieldOf } from "@headgate/client/data-plane";
import { type Affinity, type CorsPolicy, LIMITS } from "@headgate/core";
import { setCookie, withCookie } from "./model/cookies.ts";
import { type CompiledCors, type ExtraFields, compileCors, corsFields, preflightFields } from "./model/cors.ts";

/** Policies of the tables in force, compiled with their first request. */
const compiled = new WeakMap<CorsPolicy, CompiledCors>();

function compiledCors(policy: CorsPolicy): CompiledCors {
  let cors = compiled.get(policy);
  if (cors === undefined) {
    cors = compileCors(policy);
    compiled.set(policy, cors);
  }
  return cors;
}

/** What CORS adds to the answer to a request. `headers` are names in lower case and values in turn. */
export function corsExtra(policy: CorsPolicy, headers: readonly string[]): ExtraFields {
  return corsFields(compiledCors(policy), fieldOf(headers, "origin"));
}

/** Whether an OPTIONS request is a browser's question whether it may send another one. */
export function isPreflight(headers: readonly string[]): boolean {
  return fieldOf(headers, "origin") !== null && fieldOf(headers, "access-control-request-method") !== null;
}

/** The answer to a preflight beside corsExtra(). `allow` are the endpoint's methods. */
export function preflightAnswer(policy: CorsPolicy, headers: readonly string[], allow: string): readonly string[] {
  const asked = fieldOf(headers, "access-control-request-headers");
  return ["allow", allow, ...preflightFields(compiledCors(policy), fieldOf(headers, "origin") ?? "", allow, asked)];
}

/** A sticky user's key out of the cookie; null: there is none, or none that can be one. */
export function keyOfCookie(affinity: Affinity, headers: readonly string[]): string | null {
  const key = cookieOf(headers, affinity.cookie);
  return key !== null && key !== "" && key.length <= LIMITS.shardKeyBytes ? key : null;
}

/** A key for a user who has none: 128 bits of chance, so that nobody can guess another's. */
export function freshKey(): string {
  return randomBytes(16).toString("base64url");
}

/** What the answer to a user with a fresh key adds. */
export function stickyExtra(extra: ExtraFields | null, affinity: Affinity, key: string, secure: boolean): ExtraFields {
  return withCookie(extra, setCookie(affinity, key, secure));
}

// What an endpoint's settings add to its requests and answers in the bridge: CORS and the key of sticky users.
// Only asked where an endpoint has such a setting. What the fields say stands in model/.

import { randomBytes } from "node:crypto";
import { type LiveEndpoint, cookieOf, fieldOf } from "@headgate/client/data-plane";
import { type CorsPolicy, LIMITS } from "@headgate/core";
import type { Exchange } from "./exchange.ts";
import { setCookie, withCookie } from "./model/cookies.ts";
import { type CompiledCors, compileCors, corsFields, preflightFields } from "./model/cors.ts";
import type { RequestFields } from "./model/fields.ts";

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

/** Lets the answer to a request, whatever it will be, say what CORS adds. `headers` are names in lower case and values in turn. */
export function addCors(exchange: Exchange, policy: CorsPolicy, headers: readonly string[]): void {
  exchange.extra = corsFields(compiledCors(policy), fieldOf(headers, "origin"));
}

/** Whether an OPTIONS request is a browser's question whether it may send another one. */
export function isPreflight(headers: readonly string[]): boolean {
  return fieldOf(headers, "origin") !== null && fieldOf(headers, "access-control-request-method") !== null;
}

/** The answer to a preflight beside what CORS adds. `allow` are the endpoint's methods. */
export function preflightAnswer(policy: CorsPolicy, headers: readonly string[], allow: string): readonly string[] {
  const asked = fieldOf(headers, "access-control-request-headers");
  return ["allow", allow, ...preflightFields(compiledCors(policy), fieldOf(headers, "origin") ?? "", allow, asked)];
}

/**
 * The shard key of a request: the one of its field, or a sticky user's out of the cookie. Where that is missing or cannot be a
 * key, the user is given a fresh one with the answer: 128 bits of chance, so that nobody can guess another's.
 */
export function shardKeyOf(exchange: Exchange, { affinity }: LiveEndpoint, { shardKey, forward }: RequestFields): string | null {
  if (shardKey !== null || affinity === null) return shardKey;
  const known = cookieOf(forward, affinity.cookie);
  if (known !== null && known !== "" && known.length <= LIMITS.shardKeyBytes) return known;
  const fresh = randomBytes(16).toString("base64url");
  exchange.extra = withCookie(exchange.extra, setCookie(affinity, fresh, exchange.secure));
  return fresh;
}

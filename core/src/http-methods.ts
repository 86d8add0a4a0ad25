// HTTP methods as settings of an endpoint give them.

import { invalid, shown } from "./checks.ts";
import type { Refusal } from "./faults.ts";
import { LIMITS } from "./limits.ts";
import { type Result, ok } from "./result.ts";

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;

/** Checks HTTP methods; upper-cases them; none: GET. */
export function parseHttpMethods(methods: readonly unknown[], field = "methods"): Result<readonly string[], Refusal> {
  if (methods.length === 0) return ok(["GET"]);
  if (methods.length > LIMITS.httpMethodsPerEndpoint) {
    return invalid(field, `an endpoint can have at most ${LIMITS.httpMethodsPerEndpoint} methods`);
  }
  const result: string[] = [];
  for (const method of methods) {
    if (typeof method !== "string" || !METHOD.test(method)) {
      return invalid(field, `${shown(method)} is not an HTTP method`);
    }
    const upper = method.toUpperCase();
    if (upper === "CONNECT" || upper === "TRACE") return invalid(field, `${upper} cannot be served`);
    if (!result.includes(upper)) result.push(upper);
  }
  return ok(result);
}

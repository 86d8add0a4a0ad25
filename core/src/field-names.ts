// Names of HTTP header fields and cookies as settings of an endpoint give them: checked, and header names in lower case.
// Which of them a handler sees at run time stands in http-bridge/src/model/fields.ts.

import { invalid, shown } from "./checks.ts";
import type { Refusal } from "./faults.ts";
import { HOP_BY_HOP } from "./header-fields.ts";
import { LIMITS } from "./limits.ts";
import { type Result, ok } from "./result.ts";

/** A token of RFC 9110, section 5.6.2, which names of fields and of cookies are. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Fields that never reach a rule: they belong to one connection, or the bridge reads them itself. */
const UNSEEN = new Set([
  ...HOP_BY_HOP,
  "proxy-authenticate",
  "proxy-authorization",
  "expect",
  "content-length",
  "x-request-id",
  "x-request-timeout",
]);

/** Checks the name of a header field. */
export function parseFieldName(field: string, value: unknown): Result<string, Refusal> {
  if (typeof value !== "string" || !TOKEN.test(value) || value.length > LIMITS.fieldNameBytes) {
    return invalid(
      field,
      `${field} must be the name of a header field of at most ${LIMITS.fieldNameBytes} characters, not ${shown(value)}`,
    );
  }
  return ok(value.toLowerCase());
}

/** Checks the name of a request field that traffic is decided by: one that comes through from the caller. */
export function parseSeenFieldName(field: string, value: unknown): Result<string, Refusal> {
  const name = parseFieldName(field, value);
  if (!name.ok) return name;
  if (UNSEEN.has(name.value) || name.value.startsWith("x-headgate-")) {
    return invalid(
      field,
      `${field} cannot be ${shown(name.value)}, which Headgate reads itself; take a name of your own, such as "x-beta"`,
    );
  }
  return name;
}

/** Checks the name of a cookie. Its case matters. */
export function parseCookieName(field: string, value: unknown): Result<string, Refusal> {
  if (typeof value === "string" && TOKEN.test(value) && value.length <= LIMITS.fieldNameBytes) return ok(value);
  return invalid(field, `${field} must be the name of a cookie of at most ${LIMITS.fieldNameBytes} characters, not ${shown(value)}`);
}

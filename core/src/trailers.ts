// Trailers: fields behind a body, and which fields may stand there (RFC 9110, section 6.5.1). What decides how a message is
// framed, routed, read or cached has to come before the body, and so may not. Held for both directions.

import { FIELD_NAME, FIELD_VALUE, HOP_BY_HOP } from "./header-fields.ts";

const FORBIDDEN = new Set([
  // How the message is framed, and for one hop alone.
  ...HOP_BY_HOP,
  "content-length",
  // Where it goes and what it asks for.
  "expect",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "max-forwards",
  "range",
  // Who asks.
  "authorization",
  "cookie",
  "proxy-authenticate",
  "proxy-authorization",
  "set-cookie",
  "www-authenticate",
  // How the answer is kept and read.
  "age",
  "cache-control",
  "content-encoding",
  "content-range",
  "content-type",
  "date",
  "expires",
  "location",
  "pragma",
  "retry-after",
  "vary",
  "warning",
  // The platform's own.
  "x-request-id",
]);

/** What is wrong with a field as a trailer; null: nothing. `name` in lower case. */
export function trailerProblem(name: string, value: string): string | null {
  if (!FIELD_NAME.test(name)) return "its name is not one that a field can have";
  if (FORBIDDEN.has(name) || name.startsWith("x-headgate-")) return "this field has a meaning only before the body";
  if (!FIELD_VALUE.test(value)) return "its value has characters that a field cannot have";
  return null;
}

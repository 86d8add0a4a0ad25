// Cross-origin access to an endpoint (the CORS protocol of the Fetch standard): the policy and its checks.
// What it means for one request and its answer stands in http-bridge/src/model/cors.ts.

import { checkInteger, checkRecord, invalid, shown } from "./checks.ts";
import type { Refusal } from "./faults.ts";
import { parseFieldName } from "./field-names.ts";
import { parseHttpMethods } from "./http-methods.ts";
import { LIMITS } from "./limits.ts";
import { type Result, ok } from "./result.ts";

/** Which pages of other origins may call an endpoint from a browser. */
export interface CorsPolicy {
  /** Exact origins in lower case, such as "https://app.example.com"; "*": any. */
  readonly origins: "*" | readonly string[];
  /** Methods that a preflight is told, in upper case; null: the endpoint's. */
  readonly methods: readonly string[] | null;
  /** Request fields that a preflight is told, in lower case; "*": whichever it asks for. */
  readonly headers: "*" | readonly string[];
  /** Fields of an answer that a page may read beside the usual ones, in lower case. */
  readonly exposeHeaders: "*" | readonly string[];
  /** Whether a page may send cookies and other credentials. */
  readonly credentials: boolean;
  /** How long a browser may remember a preflight's answer, in seconds. */
  readonly maxAgeS: number;
}

/** A policy as asked for; what is left out has its default. */
export interface CorsInput {
  readonly origins: "*" | readonly string[];
  readonly methods?: readonly string[] | null | undefined;
  readonly headers?: "*" | readonly string[] | undefined;
  readonly exposeHeaders?: "*" | readonly string[] | undefined;
  readonly credentials?: boolean | undefined;
  readonly maxAgeS?: number | undefined;
}

const FIELDS = ["origins", "methods", "headers", "exposeHeaders", "credentials", "maxAgeS"] as const;
/** A browser remembers a preflight for 5 seconds where it is not told. */
const DEFAULT_MAX_AGE_S = 600;

// A scheme, a host name or address, a port: the serialization of an origin that a browser sends.
const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/((?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]))(?::([1-9]\d{0,4}))?$/;
const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ["http", "80"],
  ["https", "443"],
]);

/** Checks one origin and writes it as browsers do: lower case, without the scheme's own port. */
export function parseOrigin(value: unknown): Result<string, Refusal> {
  const parts = typeof value === "string" && value.length <= LIMITS.corsOriginBytes ? ORIGIN.exec(value.toLowerCase()) : null;
  const [, scheme = "", host = "", port] = parts ?? [];
  if (parts === null || Number(port ?? "1") > 65_535) {
    return invalid(
      "cors.origins",
      `${shown(value)} is not an origin: write it as "https://app.example.com", with its port and without a path`,
    );
  }
  return ok(port === undefined || DEFAULT_PORTS.get(scheme) === port ? `${scheme}://${host}` : `${scheme}://${host}:${port}`);
}

/** Checks a policy; null or undefined: none. */
export function parseCors(value: unknown): Result<CorsPolicy | null, Refusal> {
  if (value === null || value === undefined) return ok(null);
  const record = checkRecord("cors", value, FIELDS);
  if (!record.ok) return record;
  const { origins: given, methods: asked, headers: allow, exposeHeaders: expose, credentials = false, maxAgeS: age } = record.value;
  const origins = listOrAll("cors.origins", given, LIMITS.corsOrigins, parseOrigin);
  if (!origins.ok) return origins;
  if (origins.value.length === 0) return invalid("cors.origins", 'cors.origins needs at least one origin, or "*" for any');
  const methods = parseCorsMethods(asked);
  if (!methods.ok) return methods;
  const headers = listOrAll("cors.headers", allow ?? [], LIMITS.corsFieldNames, (name) => parseFieldName("cors.headers", name));
  if (!headers.ok) return headers;
  const exposeHeaders = listOrAll("cors.exposeHeaders", expose ?? [], LIMITS.corsFieldNames, (name) =>
    parseFieldName("cors.exposeHeaders", name),
  );
  if (!exposeHeaders.ok) return exposeHeaders;
  if (typeof credentials !== "boolean") {
    return invalid("cors.credentials", `cors.credentials must be true or false, not ${shown(credentials)}`);
  }
  if (credentials && origins.value === "*") {
    return invalid("cors.credentials", 'cors.credentials cannot stand with origins "*", which browsers refuse; list the origins');
  }
  if (credentials && exposeHeaders.value === "*") {
    return invalid(
      "cors.exposeHeaders",
      'cors.exposeHeaders cannot be "*" with credentials, as browsers take it for a name; list the fields',
    );
  }
  const maxAgeS = checkInteger("cors.maxAgeS", age ?? DEFAULT_MAX_AGE_S, 0, LIMITS.corsMaxAgeS);
  if (!maxAgeS.ok) return maxAgeS;
  return ok({
    origins: origins.value,
    methods: methods.value,
    headers: headers.value,
    exposeHeaders: exposeHeaders.value,
    credentials,
    maxAgeS: maxAgeS.value,
  });
}

function parseCorsMethods(value: unknown): Result<readonly string[] | null, Refusal> {
  if (value === null || value === undefined) return ok(null);
  if (!Array.isArray(value)) return invalid("cors.methods", `cors.methods must be a list of HTTP methods, not ${shown(value)}`);
  return value.length === 0 ? ok(null) : parseHttpMethods(value, "cors.methods");
}

/** A list of which each entry is checked and stands once, or "*", alone or as the one entry. */
function listOrAll(
  field: string,
  value: unknown,
  most: number,
  parse: (entry: unknown) => Result<string, Refusal>,
): Result<"*" | readonly string[], Refusal> {
  if (value === "*") return ok("*");
  if (!Array.isArray(value)) return invalid(field, `${field} must be a list or "*", not ${shown(value)}`);
  const entries = value as readonly unknown[];
  if (entries.length === 1 && entries[0] === "*") return ok("*");
  if (entries.length > most) return invalid(field, `${field} can have at most ${most} entries`);
  const list: string[] = [];
  for (const entry of entries) {
    if (entry === "*") return invalid(field, `"*" in ${field} stands for all, so that it must stand alone`);
    const parsed = parse(entry);
    if (!parsed.ok) return parsed;
    if (!list.includes(parsed.value)) list.push(parsed.value);
  }
  return ok(list);
}

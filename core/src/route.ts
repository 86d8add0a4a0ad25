// Routes: the path patterns of endpoints, and when two of them are the same.
// "/simple" is exact, ":id" stands for one segment, a final "*" for the rest (possibly nothing).
// Trailing slashes do not decide: "/simple/" is "/simple". Matching at run time stands in client/.

import { type Refusal, fault } from "./faults.ts";
import { LIMITS } from "./limits.ts";
import { type Result, err, ok } from "./result.ts";

/** One segment of a pattern. */
export type RouteSegment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "param"; readonly name: string }
  | { readonly kind: "wildcard" };

/** A checked pattern. */
export interface Route {
  /** Normal form: no trailing slash but for "/" itself. */
  readonly pattern: string;
  readonly segments: readonly RouteSegment[];
  /** Two patterns with the same shape match the same paths: "/a/:x" and "/a/:y". */
  readonly shape: string;
}

const PARAM_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
// Unreserved characters and sub-delims of RFC 3986 with ":" and "@"; no percent-encoding in patterns.
const LITERAL = /^[A-Za-z0-9\-._~!$&'()+,;=@:]+$/;

const invalid = (message: string): { readonly ok: false; readonly error: Refusal } =>
  err(fault("invalid_argument", message, { field: "route" }));

/** Checks a pattern and takes it apart. */
export function parseRoute(value: unknown): Result<Route, Refusal> {
  if (typeof value !== "string") return invalid('route must be a string such as "/simple"');
  if (!value.startsWith("/")) return invalid(`route must start with "/", such as "/${value.slice(0, 60)}"`);
  if (value.length > LIMITS.routeBytes) return invalid(`route must be at most ${LIMITS.routeBytes} bytes`);
  if (value === "/-" || value.startsWith("/-/")) return invalid('routes below "/-/" are Headgate\'s own');
  const pattern = value.length > 1 && value.endsWith("/") ? value.slice(0, -1) : value;
  const segments: RouteSegment[] = [];
  const shape: string[] = [];
  const names = new Set<string>();
  const parts = value === "/" ? [] : pattern.slice(1).split("/");
  for (const [index, part] of parts.entries()) {
    if (part === "") return invalid(`route ${JSON.stringify(value)} has an empty segment`);
    if (part === "." || part === "..") return invalid(`route ${JSON.stringify(value)} has a dot segment`);
    if (part === "*") {
      if (index !== parts.length - 1) return invalid('"*" can only be the last segment of a route');
      segments.push({ kind: "wildcard" });
      shape.push("*");
    } else if (part.startsWith(":")) {
      const name = part.slice(1);
      if (!PARAM_NAME.test(name)) return invalid(`${JSON.stringify(part)} is not a parameter: write it as ":id"`);
      if (names.has(name)) return invalid(`route has the parameter ":${name}" twice`);
      names.add(name);
      segments.push({ kind: "param", name });
      shape.push(":");
    } else {
      if (!LITERAL.test(part)) return invalid(`${JSON.stringify(part)} cannot stand in a route`);
      segments.push({ kind: "literal", text: part });
      shape.push(`=${part}`);
    }
  }
  if (names.size > LIMITS.routeParams) return invalid(`a route can have at most ${LIMITS.routeParams} parameters`);
  return ok({ pattern, segments, shape: `/${shape.join("/")}` });
}

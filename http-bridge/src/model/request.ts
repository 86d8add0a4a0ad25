// An HTTP request's head as plain values to what is to be done with it. Pure: no sockets, no table but the one handed in.
// Malformed requests are refused and never repaired.

import { type Fault, LIMITS, fault } from "@headgate/core";
import type { RequestFields } from "./fields.ts";

/** Where the query begins; the length of the target where there is none. */
export function pathLength(target: string): number {
  const at = target.indexOf("?");
  return at < 0 ? target.length : at;
}

// A NUL, an encoded slash or backslash, a raw backslash; a dot segment, plain or encoded.
const AMBIGUOUS = /%00|%2f|%5c|\\/i;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;
// No fragment: what comes behind a "#" is not for the server, and programs differ on where the path ends then.
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/;

/** What is wrong with a request target; null: nothing. */
export function targetProblem(target: string, path: string): Fault | null {
  if (target.length > LIMITS.urlBytes) {
    return fault("uri_too_long", `the URL is longer than ${LIMITS.urlBytes} bytes`, { limit: "urlBytes" });
  }
  if (!ORIGIN_FORM.test(target)) return fault("malformed_request", 'the request target is not a path that begins with "/"');
  if (path.includes("%") || path.includes("\\")) {
    if (AMBIGUOUS.test(path)) return fault("malformed_request", "the path has an encoded slash, a backslash or a NUL in it");
  }
  if ((path.includes(".") || path.includes("%")) && DOT_SEGMENT.test(path)) {
    return fault("malformed_request", "the path has a dot segment in it");
  }
  return null;
}

/** What is wrong with a header section; null: nothing. `hostNeeded`: HTTP/1.0 knows requests without Host, HTTP/1.1 does not. */
export function fieldsProblem(fields: RequestFields, count: number, hostNeeded: boolean): Fault | null {
  if (count > LIMITS.headerFields) return tooManyFields();
  if (hostNeeded && !fields.hasHost) return fault("malformed_request", "there is no Host field");
  if (fields.problem !== null) return fault("malformed_request", fields.problem);
  if (fields.chunked && !hostNeeded) return fault("malformed_request", "HTTP/1.0 has no Transfer-Encoding");
  if (fields.shardKey !== null && fields.shardKey.length > LIMITS.shardKeyBytes) {
    return fault("headers_too_large", `X-Headgate-Shard-Key is longer than ${LIMITS.shardKeyBytes} bytes`, { limit: "shardKeyBytes" });
  }
  if (fields.expect !== null && fields.expect.toLowerCase() !== "100-continue") {
    return fault("expectation_failed", "the only expectation that can be met is 100-continue");
  }
  return null;
}

const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)([/?][^#]*)?$/i;

/**
 * A target in absolute form, as callers of proxies send it, in origin form (RFC 9112, section 3.2.2). Any other one, and one
 * whose host is not the Host field's, as it is: there is no such path.
 */
export function originForm(target: string, host: string): string {
  const match = ABSOLUTE_FORM.exec(target);
  if (match === null || match[1]?.toLowerCase() !== host.toLowerCase()) return target;
  const path = match[2] ?? "/";
  return path.startsWith("?") ? `/${path}` : path;
}

/** What is known of a head that no parser has held to the limits. */
export interface MeasuredHead {
  /** Fields that were sent. */
  readonly count: number;
  /** Bytes of the target, names and values. */
  readonly bytes: number;
  /** What is wrong with it already; null: nothing. */
  readonly problem: string | null;
}

/** What is wrong with a head that was measured; null: nothing. */
export function headProblem({ count, bytes, problem }: MeasuredHead): Fault | null {
  if (bytes > LIMITS.headerBytes) return headerTooLarge();
  if (count > LIMITS.headerFields) return tooManyFields();
  return problem === null ? null : fault("malformed_request", problem);
}

/** The refusal of a header section over the limit. */
export function headerTooLarge(): Fault {
  return fault("headers_too_large", `the header section is larger than ${LIMITS.headerBytes} bytes`, { limit: "headerBytes" });
}

/** The refusal of a header section with too many fields. */
export function tooManyFields(): Fault {
  return fault("headers_too_large", `there are more than ${LIMITS.headerFields} header fields`, { limit: "headerFields" });
}

/** The refusal of a request that did not come within a limit. */
export function tooLate(limit: "headerTimeoutMs" | "bodyTimeoutMs"): Fault {
  return fault("request_timeout", "the request was not received in time", { limit });
}

/** The refusal of a body over an endpoint's limit. */
export function bodyTooLarge(limitBytes: number): Fault {
  return fault("body_too_large", `the request's body is larger than ${limitBytes} bytes`, { limit: "maxBodyBytes" });
}

const REQUEST_ID = /^[\w.:+=/@~-]{1,128}$/;

/** The caller's id of a request, if it is a usable one; else `fresh`. */
export function requestIdOf(given: string, fresh: string): string {
  return given !== "" && REQUEST_ID.test(given) ? given : fresh;
}

/** How a body comes: none, whole before it is sent on, or sent on as it comes. */
export type BodyPlan = "none" | "whole" | "stream";

/** Bodies up to this are sent on whole, and can so be sent again. */
export const WHOLE_BODY_BYTES = LIMITS.bodyChunkBytes;

/** How the body of a request comes. */
export function bodyPlan(contentLength: number, chunked: boolean): BodyPlan {
  if (chunked) return "stream";
  if (contentLength <= 0) return "none";
  return contentLength <= WHOLE_BODY_BYTES ? "whole" : "stream";
}

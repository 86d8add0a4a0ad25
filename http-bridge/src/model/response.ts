// Answers as they go out: the head as text, and faults as problem+json (RFC 9457). Pure: time comes in as an argument.

import { FAULTS, FIELD_NAME, FIELD_VALUE, type Fault, HOP_BY_HOP, LIMITS } from "@headgate/core";
import { namedBy, withoutNamed } from "./fields.ts";

/** Fields that the bridge writes itself, or that are of one connection. */
const OWN = new Set([...HOP_BY_HOP, "content-length", "x-request-id"]);

/** Fields of a response in both forms in which they are sent. */
export interface FieldList {
  /** Names in lower case and values in turn. */
  readonly list: readonly string[];
  /** The same as text, each line with its end. */
  readonly text: string;
}

/** A response's own fields, checked, hop-by-hop ones left out. */
export interface ResponseFields extends FieldList {
  readonly hasDate: boolean;
  /** What the handler says of its body's length; -1: nothing. Not one of the fields. */
  readonly contentLength: number;
}

/** Fields of the bridge's own, which can be sent, in both forms. */
export function fieldList(list: readonly string[]): FieldList {
  let text = "";
  for (let i = 0; i + 1 < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`;
  return { list, text };
}
/** No fields at all. */
export const NO_FIELDS: ResponseFields = { list: [], text: "", hasDate: false, contentLength: -1 };

/** Checks a handler's fields; null: one of them cannot be sent. Those of one connection and those that Connection names are left out. */
export function responseFields(headers: readonly string[]): ResponseFields | null {
  const list: string[] = [];
  let text = "";
  let hasDate = false;
  let contentLength = -1;
  let connection = "";
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    const value = headers[i + 1] ?? "";
    if (!FIELD_NAME.test(name) || !FIELD_VALUE.test(value)) return null;
    if (OWN.has(name)) {
      if (name === "connection") connection = connection === "" ? value : `${connection},${value}`;
      if (name !== "content-length") continue;
      if (contentLength >= 0 || !/^\d{1,15}$/.test(value)) return null;
      contentLength = Number(value);
      continue;
    }
    if (name === "date") hasDate = true;
    list.push(name, value);
    text += `${name}: ${value}\r\n`;
  }
  const named = namedBy(connection);
  if (named === null) return { list, text, hasDate, contentLength };
  const kept = withoutNamed(list, named);
  return { ...fieldList(kept), hasDate: hasDate && !named.has("date"), contentLength };
}

/**
 * The Content-Length of a whole answer: what is there. Where the method or the status has no body it is what the handler says,
 * and -1 where nothing is to be said.
 */
export function lengthOfWhole(method: string, status: number, fields: ResponseFields, body: Buffer | null): number {
  if (status === 204) return -1;
  if (body !== null && status !== 304) return body.length;
  if (method === "HEAD" || status === 304) return fields.contentLength >= 0 || status === 304 ? fields.contentLength : 0;
  return 0;
}

/** Whether a response of this status to this method has a body. */
export function hasBody(method: string, status: number): boolean {
  return method !== "HEAD" && status !== 204 && status !== 304;
}

const KEEP_ALIVE = `connection: keep-alive\r\nkeep-alive: timeout=${LIMITS.keepAliveTimeoutMs / 1000}\r\n\r\n`;

/** The head of a whole response on a connection that stays open. `date` is the line of the Date field. */
export function headText(
  statusLine: string,
  fields: ResponseFields,
  length: number,
  requestId: string,
  date: string,
  extra: FieldList | null,
): string {
  const more = extra === null ? "" : extra.text;
  return `${statusLine}${fields.text}${more}content-length: ${length}\r\nx-request-id: ${requestId}\r\n${fields.hasDate ? "" : date}${KEEP_ALIVE}`;
}

const UPGRADE = ["upgrade", "websocket", "connection", "upgrade", "sec-websocket-version", "13"];
const UPGRADE_TEXT = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n";

/** The further fields of an answer over HTTP/1.1: a 426 names what to change to, and this bridge can change to nothing else. */
export function withUpgrade(status: number, extra: FieldList | null): FieldList | null {
  if (status !== 426) return extra;
  return { list: [...(extra?.list ?? []), ...UPGRADE], text: (extra?.text ?? "") + UPGRADE_TEXT };
}

/** A fault as a response. */
export interface Problem {
  readonly status: number;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** A fault as problem+json. `allow` is the value of Allow for method_not_allowed. */
export function problem(fault: Fault, requestId: string, allow = ""): Problem {
  const { http, title } = FAULTS[fault.code];
  const headers = ["content-type", "application/problem+json"];
  if (allow !== "") headers.push("allow", allow);
  if (fault.retryAfterMs > 0) headers.push("retry-after", String(Math.ceil(fault.retryAfterMs / 1000)));
  const { limit, mayHaveRun } = fault.details;
  const body = {
    type: `urn:headgate:fault:${fault.code}`,
    title,
    status: http,
    detail: fault.message,
    code: fault.code,
    ...(limit === undefined ? {} : { limit }),
    ...(mayHaveRun === undefined ? {} : { mayHaveRun: mayHaveRun === "true" }),
    requestId,
  };
  return { status: http, headers, body: `${JSON.stringify(body)}\n` };
}

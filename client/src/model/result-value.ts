// What a handler returned, out of its answer: the mapping of docs/handlers.md, read from right to left. Pure.

import { type Fault, fault, isFaultCode } from "@headgate/core";

/** Value of a header field; empty: it is not there. */
export function fieldOf(headers: readonly string[], name: string): string {
  for (let i = 0; i + 1 < headers.length; i += 2) if (headers[i] === name) return headers[i + 1] ?? "";
  return "";
}

/** What the items of a stream are. */
export type ItemKind = "text" | "bytes" | "json";

/** The kind of items that a content type stands for. */
export function itemKind(type: string): ItemKind {
  if (type.startsWith("application/x-ndjson")) return "json";
  return type.startsWith("text/") ? "text" : "bytes";
}

/** The value of a whole answer: text, JSON or bytes, as its content type says; without one and without bytes nothing. Throws where it is no JSON. */
export function resultOf(type: string, body: Uint8Array): unknown {
  if (type === "" && body.length === 0) return undefined;
  const media = type.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (media === "application/json" || media.endsWith("+json")) return JSON.parse(textOf(body));
  return itemKind(media) === "bytes" ? body : textOf(body);
}

/** The fault that an answer with an error status stands for. */
export function faultOfAnswer(endpoint: string, status: number, type: string, body: Uint8Array): Fault {
  const details = { endpoint, status: String(status) };
  const said = type.startsWith("application/problem+json") ? parsed(body) : null;
  if (said !== null && typeof said.code === "string" && isFaultCode(said.code)) {
    const message = typeof said.detail === "string" ? said.detail : `endpoint "${endpoint}" answered with ${said.code}`;
    return fault(said.code, message, typeof said.limit === "string" ? { ...details, limit: said.limit } : details);
  }
  return fault("handler_error", `the handler of endpoint "${endpoint}" answered with status ${status}`, details);
}

function parsed(body: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(textOf(body));
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

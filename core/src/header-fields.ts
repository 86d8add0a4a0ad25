// What HTTP says of header fields, for every room that reads, checks or hands them on: what a name and a value may be made of, and
// which fields are of one connection alone. What a room does with a field is the room's own matter.

/** A field's name in lower case: a token of RFC 9110, section 5.6.2. */
export const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** A field's value: visible characters, space, tab and obs-text; a line end in it would begin another field. */
export const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Fields that are of one connection and never handed on (RFC 9110, section 7.6.1). Content-Length, which frames a message, is not among them. */
export const HOP_BY_HOP: readonly string[] = [
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Names and values in turn, as a Headers object. */
export function headersOf(fields: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < fields.length; i += 2) headers.append(fields[i] ?? "", fields[i + 1] ?? "");
  return headers;
}

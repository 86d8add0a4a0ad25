// Cookies of a request: one by its name, out of its Cookie fields (RFC 6265, section 5.4). Values are taken as they stand.
// Setting cookies stands in http-bridge/src/model/cookies.ts.

const SEMICOLON = 0x3b;
const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;

/**
 * Value of a cookie; null: there is none. `headers` are names in lower case and values in turn; HTTP/2 may split Cookie into
 * several fields. Of two cookies of one name the first counts, which is the one with the longer path.
 */
export function cookieOf(headers: readonly string[], name: string): string | null {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i] !== "cookie") continue;
    const value = cookieIn(headers[i + 1] ?? "", name);
    if (value !== null) return value;
  }
  return null;
}

/** Value of a cookie in one Cookie field, which is not taken apart further than needed. */
function cookieIn(field: string, name: string): string | null {
  for (let at = field.indexOf(name); at >= 0; at = field.indexOf(name, at + 1)) {
    const after = at + name.length;
    if (field.charCodeAt(after) !== EQUALS || !beginsPair(field, at)) continue;
    const end = field.indexOf(";", after);
    return field.slice(after + 1, end < 0 ? field.length : end).trim();
  }
  return null;
}

function beginsPair(field: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && (field.charCodeAt(before) === SPACE || field.charCodeAt(before) === TAB)) before--;
  return before < 0 || field.charCodeAt(before) === SEMICOLON;
}

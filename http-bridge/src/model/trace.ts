// W3C Trace Context (https://www.w3.org/TR/trace-context-2/): what of it is well-formed. What is not does not go on, as the
// recommendation asks; what is goes on unchanged. Nothing is made here: a trace begins with whoever wants one. Pure.

// Version ff is none; a version yet unknown may have more behind the flags.
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]*)?$/;
const MOST_MEMBERS = 32;
const MEMBER = /^([a-z0-9][a-z0-9_\-*/@]{0,255})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])$/;

/** Whether a value of traceparent is well-formed. */
export function isTraceparent(value: string): boolean {
  const match = TRACEPARENT.exec(value);
  // Version 00 ends with the flags.
  return match !== null && (match[1] !== "00" || match[2] === undefined);
}

/** Whether a value of tracestate is well-formed; several fields of it are one, joined with commas. */
export function isTracestate(value: string): boolean {
  const keys = new Set<string>();
  for (const part of value.split(",")) {
    const member = trimmed(part);
    if (member === "") continue;
    const key = MEMBER.exec(member)?.[1];
    if (key === undefined || keys.has(key)) return false;
    keys.add(key);
  }
  return keys.size > 0 && keys.size <= MOST_MEMBERS;
}

/** Without the spaces and tabs around it. Not by a pattern, which would look at a run of them anew from each of its places. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

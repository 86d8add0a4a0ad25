// A request's head as HTTP/2 brings it, made into what HTTP/1.1 would have said: the pseudo-fields taken out, :authority as
// Host, the crumbs of Cookie joined (RFC 9113, sections 8.2.3 and 8.3.1). What the protocol itself forbids never comes here.

/** The head of a request. */
export interface Http2Head {
  readonly method: string;
  /** Path and query; empty for CONNECT. */
  readonly target: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  /** How many fields were sent, pseudo-fields left out. */
  readonly count: number;
  /** Bytes of the target, names and values, which is what HTTP/1.1 counts too. */
  readonly bytes: number;
  /** What is wrong; null: nothing. */
  readonly problem: string | null;
}

/** Reads node:http2's rawHeaders: names in lower case and values in turn. */
export function http2Head(raw: readonly string[]): Http2Head {
  let method = "";
  let target = "";
  let authority: string | null = null;
  let host: string | null = null;
  let cookie: string | null = null;
  let problem: string | null = null;
  let bytes = 0;
  let count = 0;
  const fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const value = raw[i + 1] ?? "";
    if (name === ":method") method = value;
    else if (name === ":path") {
      target = value;
      bytes += value.length;
    } else if (name === ":authority") authority = value;
    else if (!name.startsWith(":")) {
      count++;
      bytes += name.length + value.length;
      if (name === "cookie") cookie = cookie === null ? value : `${cookie}; ${value}`;
      else if (name === "host" && host === null) host = value;
      else fields.push(name, value);
    }
  }
  if (authority !== null && host !== null && authority !== host) problem = "Host and :authority differ";
  const named = authority ?? host;
  if (named !== null) {
    if (host === null) {
      count++;
      bytes += 4 + named.length;
    }
    fields.unshift("host", named);
  }
  if (cookie !== null) fields.push("cookie", cookie);
  return { method, target, fields, count, bytes, problem };
}

/** An answer's fields as node:http2 takes them. */
export function http2Answer(status: number, fields: readonly string[], requestId: string, extra: readonly string[] | null): string[] {
  const list = [":status", String(status), ...fields, "x-request-id", requestId];
  if (extra !== null) list.push(...extra);
  return list;
}

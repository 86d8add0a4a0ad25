// HTTP header fields as they come in: names in lower case, hop-by-hop ones left out, what the bridge itself reads picked out,
// what could be read in two ways refused (RFC 9110 section 7.6.1, RFC 9112 section 11.2). Pure.

import { parseTimeout } from "./timeout.ts";
import { isTraceparent, isTracestate } from "./trace.ts";

/** What the bridge does with a field. "own": it is Headgate's, and does not come from outside. */
type Kind =
  | "forward"
  | "hop"
  | "connection"
  | "content-length"
  | "transfer-encoding"
  | "host"
  | "request-id"
  | "request-timeout"
  | "shard-key"
  | "traceparent"
  | "tracestate"
  | "te"
  | "expect"
  | "own";

interface Field {
  readonly name: string;
  readonly kind: Kind;
  /** A name with an underscore, which some programs read as a dash. */
  readonly twin: string | null;
}

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["connection", "connection"],
  ["keep-alive", "hop"],
  ["proxy-connection", "hop"],
  ["proxy-authenticate", "hop"],
  ["proxy-authorization", "hop"],
  ["trailer", "hop"],
  ["upgrade", "hop"],
  ["transfer-encoding", "transfer-encoding"],
  ["content-length", "content-length"],
  ["host", "host"],
  ["te", "te"],
  ["expect", "expect"],
  ["traceparent", "traceparent"],
  ["tracestate", "tracestate"],
  ["x-request-id", "request-id"],
  ["x-request-timeout", "request-timeout"],
  ["x-headgate-shard-key", "shard-key"],
]);

/** Names that are remembered, so that a field's name is looked at once and not once a request. */
const MOST_NAMES = 1_000;
const names = new Map<string, Field>();

function fieldOf(raw: string): Field {
  const known = names.get(raw);
  if (known !== undefined) return known;
  const name = raw.toLowerCase();
  const twin = name.includes("_") ? name.replaceAll("_", "-") : null;
  // What a program could take for a field that the bridge reads does not go on either.
  const kind = kindOf(name);
  const field: Field = { name, kind: kind === "forward" && twin !== null && kindOf(twin) !== "forward" ? "own" : kind, twin };
  if (names.size < MOST_NAMES && raw.length <= 64) names.set(raw, field);
  return field;
}

function kindOf(name: string): Kind {
  return KINDS.get(name) ?? (name.startsWith("x-headgate-") ? "own" : "forward");
}

const TRAILERS = /(?:^|[ \t,])trailers[ \t]*(?:$|[,;])/i;
// The host of a URL, without what could end it and begin something else (RFC 3986, section 3.2).
const HOST = /^(?:[\w.~!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

/** Whether a value of Host is one, such that a handler can make a URL of it. An empty one names none (RFC 9112, section 3.2). */
function isHost(value: string): boolean {
  return HOST.test(value) && (value === "" || URL.canParse(`http://${value}`));
}

/** What a request's header section says. Made once and read into anew for each request. */
export class RequestFields {
  /** Names in lower case and values in turn, for the handler. */
  forward: string[] = [];
  /** Bytes of the body; -1: not said. */
  contentLength = -1;
  chunked = false;
  requestId = "";
  shardKey: string | null = null;
  hasHost = false;
  /** The value of Host. */
  host = "";
  /** How long the caller waits at most, in milliseconds; 0: it does not say. */
  timeoutMs = 0;
  /** Whether the caller takes fields after a body. */
  takesTrailers = false;
  /** What is expected of the server before the body is sent; null: nothing. */
  expect: string | null = null;
  /** What is wrong; null: nothing. */
  problem: string | null = null;
  #goodHost = "";

  /** Reads Node's rawHeaders: names and values in turn. */
  read(raw: readonly string[]): void {
    const forward: string[] = [];
    this.forward = forward;
    this.contentLength = -1;
    this.chunked = false;
    this.requestId = "";
    this.shardKey = null;
    this.problem = null;
    this.timeoutMs = 0;
    this.takesTrailers = false;
    this.expect = null;
    let hosts = 0;
    let traceparent: string | null = null;
    let tracestate: string[] | null = null;
    let connection: string | null = null;
    let twins: Field[] | null = null;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const field = fieldOf(raw[i] ?? "");
      const { name, kind } = field;
      const value = raw[i + 1] ?? "";
      if (field.twin !== null) (twins ??= []).push(field);
      if (kind === "forward") forward.push(name, value);
      else if (kind === "host") {
        if (++hosts > 1) this.problem = "there is more than one Host field";
        // Most requests have the same one.
        if (value !== this.#goodHost) {
          if (isHost(value)) this.#goodHost = value;
          else this.problem = "the Host field is no host";
        }
        this.host = value;
        forward.push(name, value);
      } else if (kind === "connection") connection = connection === null ? value : `${connection},${value}`;
      else if (kind === "content-length") this.#length(value);
      else if (kind === "transfer-encoding") {
        if (this.chunked || value.toLowerCase() !== "chunked") this.problem = "the only transfer coding that is taken is chunked, once";
        this.chunked = true;
      }
      // With two of them it is none, and gets a fresh one.
      else if (kind === "request-id") this.requestId = this.requestId === "" ? value : " ";
      else if (kind === "shard-key") {
        if (this.shardKey !== null) this.problem = "there is more than one X-Headgate-Shard-Key field";
        this.shardKey = value === "" ? null : value;
      } else if (kind === "request-timeout") this.#timeout(value);
      else if (kind === "traceparent") traceparent = traceparent === null ? value : "";
      else if (kind === "tracestate") (tracestate ??= []).push(value);
      else if (kind === "te") this.takesTrailers ||= TRAILERS.test(value);
      else if (kind === "expect") this.expect = this.expect === null ? value : `${this.expect}, ${value}`;
    }
    if (twins !== null) this.#compare(twins, raw);
    this.hasHost = hosts > 0;
    if (traceparent !== null && isTraceparent(traceparent)) {
      forward.push("traceparent", traceparent);
      // Without a parent it says nothing.
      if (tracestate !== null && isTracestate(tracestate.join(","))) for (const value of tracestate) forward.push("tracestate", value);
    }
    if (connection !== null) this.#strip(connection);
    if (this.chunked && this.contentLength >= 0) this.problem = "there are both Content-Length and Transfer-Encoding";
  }

  /** Refuses a name with an underscore beside its twin. All names are looked at once, however many fields there are. */
  #compare(twins: readonly Field[], raw: readonly string[]): void {
    const all = new Set<string>();
    for (let i = 0; i < raw.length; i += 2) all.add(fieldOf(raw[i] ?? "").name);
    const pair = twins.find(({ twin }) => twin !== null && all.has(twin));
    if (pair !== undefined) this.problem = `header fields "${pair.name}" and "${pair.twin}" could be taken for one another`;
  }

  #timeout(value: string): void {
    const ms = parseTimeout(value);
    if (this.timeoutMs > 0) this.problem = "there is more than one X-Request-Timeout field";
    else if (ms === null) this.problem = 'X-Request-Timeout is no time such as "250ms", "1.5s" or "2m"';
    else this.timeoutMs = ms;
  }

  #length(value: string): void {
    if (this.contentLength >= 0) this.problem = "there is more than one Content-Length field";
    else if (/^\d{1,15}$/.test(value)) this.contentLength = Number(value);
    else this.problem = "Content-Length is not a number";
  }

  /** Takes out the fields that Connection names. */
  #strip(connection: string): void {
    const named = namedBy(connection);
    const { forward } = this;
    if (named === null || !forward.some((text, index) => index % 2 === 0 && named.has(text))) return;
    // Host is never hop-by-hop, whatever a caller says.
    named.delete("host");
    this.forward = withoutNamed(forward, named);
  }
}

/** The names in a value of Connection, in lower case; null: it names no field. */
export function namedBy(connection: string): Set<string> | null {
  // The usual values.
  if (connection === "" || connection === "keep-alive" || connection === "close") return null;
  return new Set(connection.split(",").map((token) => token.trim().toLowerCase()));
}

/** Fields, names and values in turn, without those of these names. */
export function withoutNamed(fields: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (!names.has(name.toLowerCase())) kept.push(name, fields[i + 1] ?? "");
  }
  return kept;
}

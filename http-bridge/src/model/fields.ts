// HTTP header fields as they come in: names in lower case, hop-by-hop ones left out, what the bridge itself reads picked out,
// what could be read in two ways refused (RFC 9110 section 7.6.1, RFC 9112 section 11.2). Pure.

/** What the bridge does with a field. */
type Kind = "forward" | "hop" | "connection" | "content-length" | "transfer-encoding" | "host" | "request-id" | "shard-key" | "own";

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
  ["te", "hop"],
  ["trailer", "hop"],
  ["upgrade", "hop"],
  ["expect", "hop"],
  ["transfer-encoding", "transfer-encoding"],
  ["content-length", "content-length"],
  ["host", "host"],
  ["x-request-id", "request-id"],
  ["x-headgate-shard-key", "shard-key"],
]);

/** Names that are remembered, so that a field's name is looked at once and not once a request. */
const MOST_NAMES = 1_000;
const names = new Map<string, Field>();

function fieldOf(raw: string): Field {
  const known = names.get(raw);
  if (known !== undefined) return known;
  const name = raw.toLowerCase();
  const field: Field = {
    name,
    kind: KINDS.get(name) ?? (name.startsWith("x-headgate-") ? "own" : "forward"),
    twin: name.includes("_") ? name.replaceAll("_", "-") : null,
  };
  if (names.size < MOST_NAMES && raw.length <= 64) names.set(raw, field);
  return field;
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
  /** What is wrong; null: nothing. */
  problem: string | null = null;

  /** Reads Node's rawHeaders: names and values in turn. */
  read(raw: readonly string[]): void {
    const forward: string[] = [];
    this.forward = forward;
    this.contentLength = -1;
    this.chunked = false;
    this.requestId = "";
    this.shardKey = null;
    this.problem = null;
    let hosts = 0;
    let connection: string | null = null;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const { name, kind, twin } = fieldOf(raw[i] ?? "");
      const value = raw[i + 1] ?? "";
      if (kind === "forward") {
        if (twin !== null && hasName(raw, twin)) this.problem = `header fields "${name}" and "${twin}" could be taken for one another`;
        forward.push(name, value);
      } else if (kind === "host") {
        if (++hosts > 1) this.problem = "there is more than one Host field";
        forward.push(name, value);
      } else if (kind === "connection") connection = connection === null ? value : `${connection},${value}`;
      else if (kind === "content-length") this.#length(value);
      else if (kind === "transfer-encoding") this.chunked = true;
      else if (kind === "request-id") this.requestId = value;
      else if (kind === "shard-key") this.shardKey = value === "" ? null : value;
    }
    this.hasHost = hosts > 0;
    if (connection !== null) this.#strip(connection);
    if (this.chunked && this.contentLength >= 0) this.problem = "there are both Content-Length and Transfer-Encoding";
  }

  #length(value: string): void {
    if (this.contentLength >= 0) this.problem = "there is more than one Content-Length field";
    else if (/^\d{1,15}$/.test(value)) this.contentLength = Number(value);
    else this.problem = "Content-Length is not a number";
  }

  /** Takes out the fields that Connection names. */
  #strip(connection: string): void {
    // The two usual values name no field.
    if (connection === "keep-alive" || connection === "close") return;
    const named = new Set(connection.split(",").map((token) => token.trim().toLowerCase()));
    const { forward } = this;
    if (!forward.some((text, index) => index % 2 === 0 && named.has(text))) return;
    const kept: string[] = [];
    for (let i = 0; i + 1 < forward.length; i += 2) {
      const name = forward[i] ?? "";
      // Host is never hop-by-hop, whatever a caller says.
      if (name === "host" || !named.has(name)) kept.push(name, forward[i + 1] ?? "");
    }
    this.forward = kept;
  }
}

function hasName(raw: readonly string[], name: string): boolean {
  for (let i = 0; i < raw.length; i += 2) if (fieldOf(raw[i] ?? "").name === name) return true;
  return false;
}

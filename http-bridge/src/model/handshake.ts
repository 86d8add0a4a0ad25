// The opening of a WebSocket (RFC 6455, section 4) as plain values: who asks for one, what is wrong with it, which pages may, and
// the answer that accepts it. Pure: the hash of the key comes in as an argument.

import { type Fault, fault } from "@headgate/core";
import type { FieldList } from "./response.ts";

/** The version that is spoken. */
const VERSION = "13";
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** What of a request's header section matters here; names in lower case, as Node gives them. */
export interface HandshakeFields {
  readonly upgrade?: string | undefined;
  readonly "content-length"?: string | undefined;
  readonly "transfer-encoding"?: string | undefined;
  readonly "sec-websocket-key"?: string | undefined;
  readonly "sec-websocket-version"?: string | undefined;
  readonly "sec-websocket-protocol"?: string | undefined;
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
}

/**
 * Whether a request asks to go on as a WebSocket. Any other upgrade (h2c, which some clients ask for by habit) is passed over, as
 * RFC 9110, section 7.8, allows, and so is one with a body or over HTTP/1.0: it is a request like any other.
 */
export function asksForWebSocket(method: string, minorVersion: number, fields: HandshakeFields): boolean {
  return (
    fields.upgrade?.toLowerCase() === "websocket" &&
    method === "GET" &&
    minorVersion >= 1 &&
    fields["transfer-encoding"] === undefined &&
    (fields["content-length"] ?? "0") === "0"
  );
}

/** What is wrong with a handshake; null: nothing. */
export function handshakeProblem(fields: HandshakeFields): Fault | null {
  if (fields["sec-websocket-version"] !== VERSION) {
    return fault("upgrade_required", `WebSockets are spoken here in version ${VERSION} alone`);
  }
  if (!KEY.test(fields["sec-websocket-key"] ?? "")) {
    return fault("malformed_request", "Sec-WebSocket-Key is not one field with 16 bytes in base64");
  }
  return null;
}

/**
 * Whether a page of this origin may open a WebSocket: browsers let any page try, with the cookies of the host, so that it is the
 * server that must look. Undefined: the caller is no browser. `allowed`: what the endpoint allows beside pages of its own host.
 */
export function originAllowed(origin: string | undefined, host: string | undefined, allowed: "*" | readonly string[]): boolean {
  if (origin === undefined || allowed === "*") return true;
  const lower = origin.toLowerCase();
  return allowed.includes(lower) || hostOf(lower, host ?? "");
}

/** Whether an origin is that of the host, the scheme's own port left out of both. */
function hostOf(origin: string, host: string): boolean {
  const scheme = origin.startsWith("https://") ? "https://" : "http://";
  return origin.startsWith(scheme) && withoutPort(origin.slice(scheme.length), scheme) === withoutPort(host.toLowerCase(), scheme);
}

function withoutPort(host: string, scheme: string): string {
  const port = scheme === "https://" ? ":443" : ":80";
  return host.endsWith(port) ? host.slice(0, -port.length) : host;
}

/** Whether the caller offers this subprotocol. */
export function offersProtocol(fields: HandshakeFields, protocol: string): boolean {
  return (fields["sec-websocket-protocol"] ?? "").split(",").some((name) => name.trim() === protocol);
}

/** The head that accepts a WebSocket. `accept` is the hash of the key, `own` are the handler's fields, `extra` further ones. */
export function acceptText(accept: string, own: FieldList, requestId: string, extra: FieldList | null): string {
  let fields = "";
  const { list } = own;
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] ?? "";
    // What the handshake itself says is not the handler's to say.
    if (!name.startsWith("sec-websocket-") || name === "sec-websocket-protocol") fields += `${name}: ${list[i + 1]}\r\n`;
  }
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n${fields}${
    extra === null ? "" : extra.text
  }x-request-id: ${requestId}\r\n\r\n`;
}

/** The value of a field in a list of names and values. */
export function fieldValue(list: readonly string[], name: string): string | null {
  for (let i = 0; i + 1 < list.length; i += 2) if (list[i] === name) return list[i + 1] ?? "";
  return null;
}

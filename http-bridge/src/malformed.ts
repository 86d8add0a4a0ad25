// Requests that Node's parser refuses. Where it is the head, there is no IncomingMessage, so that the answer is written to
// the socket itself.

import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import { type Fault, fault } from "@headgate/core";
import type { Exchange } from "./exchange.ts";
import { type LingeringSocket, linger } from "./linger.ts";
import { headerTooLarge, tooLate } from "./model/request.ts";
import { problem } from "./model/response.ts";

/** `late`: the limit that a request has passed which did not come in time. */
function faultOf(code: string | undefined, late: "headerTimeoutMs" | "bodyTimeoutMs"): Fault {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return headerTooLarge();
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return fault("malformed_request", "the chunk extensions are too large");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return tooLate(late);
    default:
      return fault("malformed_request", "this is not a valid HTTP/1.1 request");
  }
}

/**
 * Answers a request that could not be parsed, and closes its connection. `exchange` is what was asked on it last: where that
 * has a body still to come, it is the body that is malformed.
 */
export function answerMalformed(error: Error & { readonly code?: string }, socket: LingeringSocket, exchange: Exchange | null): void {
  // Node counts from a request's begin; a body that is handed on may take as long as its handler.
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && exchange?.uploads === true) return;
  // It has its last answer already, unless that is still being made.
  if (socket.lingers === true) {
    if (exchange?.over === false) socket.destroy();
    return;
  }
  if (error.code !== "ECONNRESET" && exchange?.breakOff(faultOf(error.code, "bodyTimeoutMs")) === true) return;
  // A caller that has reset the connection, or to whom an answer is on its way already, gets no other one.
  if (error.code === "ECONNRESET" || !socket.writable || ("_httpMessage" in socket && socket._httpMessage !== null)) {
    socket.destroy();
    return;
  }
  // The caller's own id is in the head that could not be read.
  const requestId = randomUUID();
  const { status, headers, body } = problem(faultOf(error.code, "headerTimeoutMs"), requestId);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`];
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  lines.push(`x-request-id: ${requestId}`, `content-length: ${Buffer.byteLength(body)}`, "connection: close", "", body);
  socket.write(lines.join("\r\n"));
  linger(socket);
  socket.destroySoon();
}

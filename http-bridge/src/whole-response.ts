// The short way out for a whole response: head and body in one write, as one string where the body is small. It does what writeHead() and
// end() of Node's ServerResponse come to in that case, without the general machinery, which costs a quarter of a small
// request (docs/performance.md). Anything unusual takes the general way, and so does a Node whose internals look different.

import { STATUS_CODES, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { type FieldList, type ResponseFields, headText } from "./model/response.ts";

/** The fields of Node's OutgoingMessage that say that a response is complete. */
interface Internals {
  _header: string | null;
  _headerSent: boolean;
  finished: boolean;
}

/** Whether this Node's ServerResponse has the fields that are set here. */
const KNOWN_INTERNALS = ((): boolean => {
  const probe = new ServerResponse(new IncomingMessage(new Socket()));
  return ["_header", "_headerSent", "finished"].every((name) => name in probe);
})();

/** Whether a response can take the short way: HTTP/1.1, kept alive, next on its connection, its request wholly read. */
export function canSendWhole(req: IncomingMessage, res: ServerResponse, status: number): boolean {
  return (
    KNOWN_INTERNALS &&
    res.socket !== null &&
    req.complete &&
    res.shouldKeepAlive &&
    status !== 204 &&
    status !== 304 &&
    req.httpVersionMinor === 1 &&
    req.method !== "HEAD" &&
    res.socket.writable
  );
}

/** Bodies up to this go out as one string with their head. */
const COPIED_BYTES = 8 * 1024;

const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}

let dateSecond = 0;
let dateLine = "";

/** The Date field of now, made once a second. */
function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** Sends a whole response. Only where canSendWhole() says so. Returns whether the body is in use no more. */
export function sendWhole(
  res: ServerResponse,
  status: number,
  fields: ResponseFields,
  body: Buffer | null,
  requestId: string,
  extra: FieldList | null,
): boolean {
  const head = headText(statusLine(status), fields, body?.length ?? 0, requestId, date(), extra);
  // ServerResponse has these fields (checked above); its type keeps them to itself.
  const internals = res as unknown as Internals;
  internals._header = head;
  internals._headerSent = true;
  internals.finished = true;
  res.statusCode = status;
  const sent = send(res.socket, head, body);
  res.emit("prefinish");
  res.emit("finish");
  return sent;
}

function send(socket: Socket | null, head: string, body: Buffer | null): boolean {
  if (socket === null) return true;
  if (body === null || body.length <= COPIED_BYTES) {
    socket.write(body === null ? head : head + body.toString("latin1"), "latin1");
    return true;
  }
  // Behind others the body would be held for as long as its caller likes.
  const own = socket.writableLength > 0 ? Buffer.from(body) : body;
  socket.cork();
  socket.write(head, "latin1");
  socket.write(own);
  socket.uncork();
  return own !== body || socket.writableLength === 0;
}

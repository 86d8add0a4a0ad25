// The work of the three loads on plain node:http objects: the same that the Headgate and Ray handlers do.
import type { IncomingMessage, ServerResponse } from "node:http";

/** Gathers a body. */
export function readBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const [only] = chunks;
    done(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks));
  });
}

/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  readonly type: "application/json" | "application/octet-stream";
  readonly body: string | Uint8Array;
}

/** The work itself. */
export function work(path: string, body: Uint8Array | undefined): Answer {
  if (path === "/small") return { status: 200, type: "application/json", body: JSON.stringify({ hello: "world" }) };
  if (path === "/echo" && body !== undefined) return { status: 200, type: "application/octet-stream", body };
  if (path === "/length" && body !== undefined) {
    return { status: 200, type: "application/json", body: JSON.stringify({ length: body.byteLength }) };
  }
  return { status: 404, type: "application/json", body: '{"error":"no such path"}' };
}

/** Does the work and sends it. */
export function answer(path: string, body: Uint8Array | undefined, response: ServerResponse): void {
  const { status, type, body: reply } = work(path, body);
  const length = typeof reply === "string" ? Buffer.byteLength(reply) : reply.byteLength;
  response.writeHead(status, { "content-type": type, "content-length": length });
  response.end(reply);
}

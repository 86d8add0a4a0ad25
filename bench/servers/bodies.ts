// Large bodies on bare node:http: counted as they come, sent as a stream of pieces of 64 KiB or as one Buffer.
// Usage: node bodies.ts PORT; it ends when its standard input does.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { FILL, PIECE_BYTES } from "../bodies/work.ts";

const piece = Buffer.alloc(PIECE_BYTES, FILL);
const buffers = new Map<number, Buffer>();

async function count(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let bytes = 0;
  request.on("data", (part: Buffer) => {
    bytes += part.length;
  });
  await once(request, "end");
  const text = JSON.stringify({ bytes });
  response.writeHead(200, { "content-type": "application/json", "content-length": text.length }).end(text);
}

async function stream(bytes: number, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream" });
  for (let left = bytes; left > 0; left -= piece.length) {
    const ready = response.write(left >= piece.length ? piece : piece.subarray(0, left));
    if (!ready) await Promise.race([once(response, "drain"), once(response, "close")]);
    if (response.destroyed) return;
  }
  response.end();
}

function buffer(bytes: number, response: ServerResponse): void {
  const made = buffers.get(bytes) ?? Buffer.alloc(bytes, FILL);
  buffers.set(bytes, made);
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes }).end(made);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = request.url ?? "/";
  if (request.method === "POST") return count(request, response);
  const bytes = Number(/bytes=(\d+)/.exec(target)?.[1] ?? 0);
  if (target.startsWith("/buffer")) buffer(bytes, response);
  else await stream(bytes, response);
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 75_000;
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 1024 });
process.stdin.resume().on("end", () => process.exit(0));

// Server-sent events on bare node:http: what Headgate's handler returns, each piece one write, waiting when told to.
// Usage: node streams.ts PORT; it ends when its standard input does.
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { streamHandler } from "../streams/tokens.ts";

async function answer(target: string, response: ServerResponse): Promise<void> {
  const result = streamHandler({ url: target });
  response.writeHead(200, { "content-type": "text/event-stream" });
  for await (const piece of result instanceof Response ? (result.body ?? []) : result) {
    if (response.destroyed) return;
    if (!response.write(piece)) await Promise.race([once(response, "drain"), once(response, "close")]);
  }
  response.end();
}

const server = createServer((request, response) => {
  answer(request.url ?? "/", response).catch(() => response.destroy());
});
server.keepAliveTimeout = 75_000;
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 1024 });
process.stdin.resume().on("end", () => process.exit(0));

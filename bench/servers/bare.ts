// The handler of the bench with nothing around it: node:http, one process. It stands alone for "bare" and behind Envoy.
// Usage: node bare.ts PORT; it ends when its standard input does.
import { createServer } from "node:http";
import { answer, readBody } from "./handler.ts";

const server = createServer((request, response) => {
  // A GET has no body to wait for: the least work that a careful author would write.
  if (request.method === "GET") answer(request.url ?? "/", undefined, response);
  else readBody(request, (body) => answer(request.url ?? "/", body, response));
});
// Longer than the idle time of whoever stands in front, so that no reused connection is already closing.
server.keepAliveTimeout = 75_000;
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 1024 });
process.stdin.resume().on("end", () => process.exit(0));

// HTTP in front, one grpc-js unary Handle a request behind, replicas in turn.
// Usage: node grpc-bridge.ts PORT SOCKET…; it ends when its standard input does.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Client, credentials } from "@grpc/grpc-js";
import { handleMethod } from "./grpc-contract.ts";
import { readBody } from "./handler.ts";

const [, , port, ...sockets] = process.argv;
const replicas = sockets.map((path) => new Client(`unix:${path}`, credentials.createInsecure()));
let turn = 0;

function forward(request: IncomingMessage, body: Uint8Array, response: ServerResponse): void {
  turn = (turn + 1) % replicas.length;
  const headers = Object.entries(request.headers).map(([name, value]) => ({ name, value: String(value) }));
  const head = {
    endpoint: "bench",
    method: request.method ?? "GET",
    target: request.url ?? "/",
    headers,
    params: [],
    timeoutMs: 60_000,
    callMethod: "",
    requestId: "",
    shadow: false,
    websocket: false,
    via: [],
    secure: false,
  };
  const { path, requestSerialize, responseDeserialize } = handleMethod;
  replicas[turn]?.makeUnaryRequest(path, requestSerialize, responseDeserialize, { head, body, trailers: [] }, (error, reply) => {
    if (error !== null || reply?.head === undefined) {
      response.writeHead(502, { "content-length": 0 }).end();
      return;
    }
    const out: Record<string, string | number> = { "content-length": reply.body.byteLength };
    for (const { name, value } of reply.head.headers) out[name] = value;
    response.writeHead(reply.head.status, out).end(reply.body);
  });
}

const NOTHING = new Uint8Array(0);
const server = createServer((request, response) => {
  if (request.method === "GET") forward(request, NOTHING, response);
  else readBody(request, (body) => forward(request, body, response));
});
server.keepAliveTimeout = 75_000;
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 1024 });
process.stdin.resume().on("end", () => process.exit(0));

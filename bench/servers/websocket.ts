// An echo server of the package ws on bare node:http, as its manual has it. Usage: node websocket.ts PORT; it ends when its
// standard input does.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer((_request, response) => response.end("ready"));
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  socket.on("error", () => undefined);
});
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 1024 });
process.stdin.resume().on("end", () => process.exit(0));

// The handler that Headgate echoes with. It travels by its source, so it uses nothing from outside itself.
import type { HandlerRequest } from "headgate";

/** Echoes each message; answers "ready" to a plain request. */
export async function echoHandler(request: HandlerRequest): Promise<string | undefined> {
  if (!request.isWebSocket) return "ready";
  const socket = request.acceptWebSocket();
  for await (const message of socket) await socket.send(message);
  return undefined;
}

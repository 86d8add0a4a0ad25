// A chat: who opens /chat/ROOM in a browser gets a page, and the page's WebSocket to the same address joins the room.
// Rooms are in the memory of one replica, so that the backend has one; with several, each would have rooms of its own.

import { readFileSync } from "node:fs";
import type { HandlerRequest, WebSocketConnection } from "headgate";

/** A member whose connection holds back more than this misses messages until it has caught up. */
const SLOW_BYTES = 256 * 1024;
const MOST_CHARS = 2_000;

/** The handler. Messages to callers are JSON: who says what. */
export class Chat {
  readonly #page = readFileSync(new URL("page.html", import.meta.url));
  readonly #rooms = new Map<string, Set<WebSocketConnection>>();

  async handle(request: HandlerRequest): Promise<Response | undefined> {
    if (!request.isWebSocket) return new Response(this.#page, { headers: { "content-type": "text/html; charset=utf-8" } });
    const name = new URL(request.url).searchParams.get("name")?.slice(0, 40) || "somebody";
    const key = request.params.room ?? "";
    const room = this.#rooms.get(key) ?? new Set();
    this.#rooms.set(key, room);

    // From here until this function ends, the connection is open.
    const socket = request.acceptWebSocket();
    room.add(socket);
    tell(room, { name, joined: true, members: room.size });
    try {
      for await (const message of socket) {
        if (typeof message !== "string") socket.close(1003, "text alone");
        else if (message !== "") tell(room, { name, text: message.slice(0, MOST_CHARS) });
      }
    } finally {
      room.delete(socket);
      if (room.size === 0) this.#rooms.delete(key);
      tell(room, { name, left: true, members: room.size });
    }
    return undefined;
  }
}

/** Sends to every member. Nobody waits for one that is slow. */
function tell(room: ReadonlySet<WebSocketConnection>, said: object): void {
  const text = JSON.stringify(said);
  for (const member of room) if (member.bufferedBytes < SLOW_BYTES) void member.send(text);
}

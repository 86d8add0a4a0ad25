// Which close a caller's WebSocket gets for what happened on the other side. Pure.

import type { Fault, WebSocketClose } from "@headgate/core";

/** The instance is going away. */
export const GOING_AWAY: WebSocketClose = { code: 1001, reason: "going away" };

/** The close for a fault after the WebSocket was accepted. Its reason is the fault's code, and tells nothing more. */
export function closeOfFault({ code }: Fault): WebSocketClose {
  switch (code) {
    case "replica_lost":
    case "draining":
      // Another replica takes its place: open another connection.
      return { code: 1012, reason: code };
    case "replica_protocol":
      // What 502 is over HTTP.
      return { code: 1014, reason: code };
    default:
      return { code: 1011, reason: code };
  }
}

// The end of a connection whose caller still sends: what it sends is read and dropped for a while, as a system that closes with bytes
// unread resets the connection, and the caller may never see the answer that is on its way to it.

import type { Socket } from "node:net";

/** For how long. */
const LINGER_MS = 2_000;

/** A connection of HTTP/1.x. */
export interface LingeringSocket extends Socket {
  /** Whether nothing that comes is answered any more. */
  lingers?: boolean;
}

/** Answers nothing more on a connection, and ends it once what was written is out and its caller has closed too. */
export function linger(socket: LingeringSocket): void {
  if (socket.lingers === true) return;
  socket.lingers = true;
  // What Node calls when the last answer is out.
  socket.destroySoon = () => {
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

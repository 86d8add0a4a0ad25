// All WebSockets of a bridge: how many there may be, one write a turn for each, pings that find those whose caller is gone, and the
// end when the bridge drains. What happens on one of them stands in websocket.ts.

import { LIMITS } from "@headgate/core";
import { GOING_AWAY } from "./model/close.ts";
import type { BridgeSocket, SocketKeeper } from "./websocket.ts";

/** How often the connections are looked at. */
const LOOK_MS = 1_000;

/** The WebSockets of a bridge. */
export class WebSockets implements SocketKeeper {
  /** Connections that are WebSockets or ask to be. The owner of each counts it in and out. */
  count = 0;
  readonly #open = new Set<BridgeSocket>();
  readonly #pingMs: number;
  readonly #closeMs: number;
  readonly #lookMs: number;
  readonly #flush = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const socket of dirty) socket.flush();
  };
  #dirty: BridgeSocket[] = [];
  #timer: NodeJS.Timeout | null = null;
  #draining = false;

  /** `pingMs`: how often callers are asked whether they are there. `closeMs`: how long they may take to answer a close. */
  constructor(pingMs: number = LIMITS.websocketPingMs, closeMs: number = LIMITS.websocketCloseMs) {
    this.#pingMs = pingMs;
    this.#closeMs = closeMs;
    this.#lookMs = Math.min(LOOK_MS, pingMs, closeMs);
  }

  /** Whether one more fits. */
  get full(): boolean {
    return this.count >= LIMITS.websocketConnections;
  }

  /** Looks after a connection from here on. */
  add(socket: BridgeSocket): void {
    socket.dueAt = performance.now() + this.#pingMs;
    this.#open.add(socket);
    this.#timer ??= setInterval(() => this.#look(), this.#lookMs);
  }

  /** The bridge goes away: connections on which nothing passes are closed, the others stay for now. */
  drain(): void {
    this.#draining = true;
    for (const socket of this.#open) socket.active = false;
  }

  /** Closes all that are open. */
  close(): void {
    for (const socket of this.#open) socket.close(GOING_AWAY);
  }

  // --- what connections tell ---

  flushLater(socket: BridgeSocket): void {
    if (this.#dirty.push(socket) === 1) setImmediate(this.#flush);
  }

  ending(socket: BridgeSocket): void {
    socket.dueAt = performance.now() + this.#closeMs;
  }

  gone(socket: BridgeSocket): void {
    this.#open.delete(socket);
    if (this.#open.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const now = performance.now();
    for (const socket of this.#open) {
      if (this.#draining && !socket.closing) {
        if (!socket.active) socket.close(GOING_AWAY);
        socket.active = false;
      }
      if (socket.dueAt > now) continue;
      if (socket.closing || (!socket.heard && !socket.held)) {
        socket.cut();
        continue;
      }
      socket.heard = false;
      socket.ping();
      socket.dueAt = now + this.#pingMs;
    }
  }
}

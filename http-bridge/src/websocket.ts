// One WebSocket between a caller and a handler: frames on the caller's side, messages of a Session on the other, back-pressure both
// ways, and who closes. How it came to be stands in upgrade.ts; pings and turns, in websockets.ts.

import type { Duplex } from "node:stream";
import { type Call, type MessageSink, type Router, costOf } from "@headgate/client/data-plane";
import { type Fault, type WebSocketClose, decodeClose, encodeClose, fault } from "@headgate/core";
import { WebSocketPart } from "@headgate/proto/replica";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter, OPCODE } from "./frame-writer.ts";
import { closeOfFault } from "./model/close.ts";

/** What a connection needs of those around it. */
export interface SocketKeeper {
  /** Calls flush() when this turn of the event loop is over. */
  flushLater(socket: BridgeSocket): void;
  /** The connection is about to end, or is still about to: it is cut if that takes too long from here. */
  ending(socket: BridgeSocket): void;
  /** The connection is gone. */
  gone(socket: BridgeSocket): void;
}

/** A caller's WebSocket. */
export class BridgeSocket implements MessageSink {
  /** Whether anything came from the caller since the keeper looked last. The keeper's to set back. */
  heard = true;
  /** Whether a message passed since the keeper looked last. The keeper's to set back. */
  active = true;
  /** When the keeper has to look at it next, on performance.now()'s scale. The keeper's own. */
  dueAt = 0;
  readonly #socket: Duplex;
  readonly #keeper: SocketKeeper;
  readonly #router: Router;
  readonly #reader: FrameReader;
  readonly #writer = new FrameWriter();
  /** The handler's side; null: it is done, or was given up. */
  #call: Call | null;
  /** The kind of the message that has begun on its way to the caller; 0: none. */
  #kind = 0;
  /** What the frames of this turn take of the handler's credit. */
  #cost = 0;
  /** What those took that the caller's connection has not let through. */
  #owed = 0;
  /** The newest ping without an answer. */
  #ping: Buffer | null = null;
  #closeSent = false;
  /** The caller has closed, or is listened to no more. */
  #closeReceived = false;

  constructor(socket: Duplex, call: Call, router: Router, keeper: SocketKeeper, maxMessageBytes: number) {
    this.#socket = socket;
    this.#call = call;
    this.#router = router;
    this.#keeper = keeper;
    this.#reader = new FrameReader(
      {
        message: (data, binary) => this.#message(binary ? WebSocketPart.BINARY : WebSocketPart.TEXT, data),
        ping: (payload) => this.#pinged(payload),
        close: (close) => this.#closed(close),
        broken: (code) => this.#closed({ code, reason: "" }),
      },
      maxMessageBytes,
    );
    socket.on("data", (chunk: Buffer) => this.received(chunk));
    // A connection of which one half is closed is of no use to a WebSocket.
    socket.on("end", () => socket.end());
    socket.on("drain", () => this.#drained());
    socket.on("close", () => this.#gone());
  }

  /** Whether a close has been sent. */
  get closing(): boolean {
    return this.#closeSent;
  }

  /** Whether the caller is not read from, as the handler does not keep up: nothing can be heard of it. */
  get held(): boolean {
    return this.#socket.isPaused();
  }

  // --- what the caller says ---

  /** Takes in bytes. */
  received(chunk: Buffer): void {
    this.heard = true;
    if (!this.#closeReceived) this.#reader.push(chunk);
  }

  #message(part: number, data: Buffer): void {
    this.active = true;
    if (this.#call === null || this.#closeSent) return;
    if (!this.#router.giveMessage(this.#call, part, data)) this.#socket.pause();
  }

  #pinged(payload: Buffer): void {
    if (this.#closeSent) return;
    // One who does not read is answered once, later: RFC 6455, section 5.5.3, asks for the newest alone.
    if (this.#socket.writableNeedDrain) this.#ping = Buffer.from(payload);
    else this.#add(OPCODE.pong, payload, true);
  }

  /** The caller has closed, or has to be closed: the handler hears the same code, and so does the caller. */
  #closed(close: WebSocketClose): void {
    this.#closeReceived = true;
    if (this.#call !== null) this.#router.giveMessage(this.#call, WebSocketPart.CLOSE, Buffer.from(encodeClose(close)));
    this.writable();
    this.close(close);
    this.#keeper.flushLater(this);
  }

  #gone(): void {
    this.#keeper.gone(this);
    // A handler that knows of the close goes on to its own end.
    if (this.#call === null || this.#closeReceived) return;
    this.#router.abandon(this.#call);
    this.#call = null;
  }

  // --- what the handler says ---

  part(part: number, body: Buffer | null): void {
    this.active = true;
    if (part === WebSocketPart.CLOSE) {
      const close = decodeClose(body);
      if (close === null) this.#contractBroken();
      else this.close(close);
      return;
    }
    const fin = part === WebSocketPart.TEXT || part === WebSocketPart.BINARY;
    const kind = part === WebSocketPart.TEXT || part === WebSocketPart.TEXT_CONTINUES ? OPCODE.text : OPCODE.binary;
    if (part > WebSocketPart.CLOSE || (this.#kind !== 0 && this.#kind !== kind)) {
      this.#contractBroken();
      return;
    }
    // It costs no credit, and so must cost nothing here.
    if (!fin && (body === null || body.length === 0)) return;
    const cost = costOf(part, body);
    if (this.#closeSent) {
      this.#consumed(cost);
      return;
    }
    this.#add(this.#kind === 0 ? kind : OPCODE.continuation, body, fin);
    this.#kind = fin ? 0 : kind;
    this.#cost += cost;
  }

  /** The handler is done. */
  done(): void {
    this.#call = null;
    this.close({ code: 1000, reason: "" });
  }

  /** The handler failed, or its replica did. */
  fault(failure: Fault): void {
    this.#call = null;
    this.close(closeOfFault(failure));
  }

  /** All that the caller has sent is on its way: it may send more. */
  writable(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  #contractBroken(): void {
    if (this.#call !== null) this.#router.abandon(this.#call);
    this.fault(fault("replica_protocol", ""));
  }

  // --- what the keeper says ---

  /** Sends a close, unless one was sent. */
  close(close: WebSocketClose): void {
    if (this.#closeSent) return;
    this.#add(OPCODE.close, encodeClose(close), true);
    this.#closeSent = true;
    this.#keeper.ending(this);
  }

  /** Asks the caller whether it is still there. */
  ping(): void {
    if (!this.#closeSent && !this.#socket.writableNeedDrain) this.#add(OPCODE.ping, null, true);
  }

  /** Ends it without a word. */
  cut(): void {
    this.#socket.destroy();
  }

  /** Sends the frames of this turn. */
  flush(): void {
    if (this.#socket.destroyed) return;
    const cost = this.#cost;
    this.#cost = 0;
    if (!this.#writer.empty) {
      if (this.#writer.flush(this.#socket)) this.#consumed(cost);
      else this.#owed += cost;
    }
    if (this.#closeSent && this.#closeReceived) this.#socket.end();
  }

  // --- inside ---

  #add(opcode: number, payload: Uint8Array | null, fin: boolean): void {
    if (this.#writer.empty) this.#keeper.flushLater(this);
    this.#writer.add(opcode, payload, fin);
  }

  #drained(): void {
    // It reads, though what it could say to a ping lies behind much else.
    this.heard = true;
    const owed = this.#owed;
    this.#owed = 0;
    this.#consumed(owed);
    if (this.#closeSent) this.#keeper.ending(this);
    else if (this.#ping !== null) {
      this.#add(OPCODE.pong, this.#ping, true);
      this.#ping = null;
    }
  }

  #consumed(cost: number): void {
    if (cost > 0 && this.#call !== null) this.#router.consumed(this.#call, cost);
  }
}

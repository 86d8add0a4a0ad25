// Frames to one caller's WebSocket (RFC 6455, section 5.2; a server's are not masked): those of one turn of the event loop leave in
// one write. When that turn is over is the business of websockets.ts.

import type { Duplex } from "node:stream";

/** What a frame is. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Payloads from this size on go out as they are, without being copied. */
const APART_BYTES = 8 * 1024;
const MOST_HEAD_BYTES = 10;
const SLAB_BYTES = 64 * 1024;
const FIN = 0x80;

/** Memory for frames, shared by all connections; what was written is never touched again. */
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let slabAt = 0;

function room(bytes: number): void {
  if (slabAt + bytes <= slab.length) return;
  slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes));
  slabAt = 0;
}

function writeHead(first: number, length: number): void {
  slab[slabAt++] = first;
  if (length < 126) slab[slabAt++] = length;
  else if (length < 0x1_0000) {
    slab[slabAt] = 126;
    slab.writeUInt16BE(length, slabAt + 1);
    slabAt += 3;
  } else {
    slab[slabAt] = 127;
    slab.writeUInt32BE(0, slabAt + 1);
    slab.writeUInt32BE(length, slabAt + 5);
    slabAt += 9;
  }
}

/** Frames that wait for the end of the turn. */
export class FrameWriter {
  /** First bytes and payloads in turn. */
  #firsts: number[] = [];
  #payloads: (Uint8Array | null)[] = [];
  /** Bytes of payloads that are copied, with room for every head. */
  #bytes = 0;

  get empty(): boolean {
    return this.#firsts.length === 0;
  }

  /** Adds a frame. The payload is used at the end of the turn. */
  add(opcode: number, payload: Uint8Array | null, fin: boolean): void {
    this.#firsts.push(fin ? opcode | FIN : opcode);
    this.#payloads.push(payload);
    const length = payload?.length ?? 0;
    this.#bytes += MOST_HEAD_BYTES + (length < APART_BYTES ? length : 0);
  }

  /** Writes what was added. Returns false where the socket would rather wait for its "drain". */
  flush(socket: Duplex): boolean {
    room(this.#bytes);
    const firsts = this.#firsts;
    const payloads = this.#payloads;
    let start = slabAt;
    let corked = false;
    for (let i = 0; i < firsts.length; i++) {
      const payload = payloads[i] ?? null;
      const length = payload?.length ?? 0;
      writeHead(firsts[i] ?? 0, length);
      if (payload === null || length === 0) continue;
      if (length < APART_BYTES) {
        slab.set(payload, slabAt);
        slabAt += length;
        continue;
      }
      if (!corked) socket.cork();
      corked = true;
      socket.write(slab.subarray(start, slabAt));
      socket.write(payload);
      start = slabAt;
    }
    this.#firsts = [];
    this.#payloads = [];
    this.#bytes = 0;
    let ready = !socket.writableNeedDrain;
    if (start < slabAt) ready = socket.write(slab.subarray(start, slabAt));
    if (corked) socket.uncork();
    return ready && !socket.writableNeedDrain;
  }
}

// Keeps a number of messages in flight on each of many WebSockets and counts the echoes; raw sockets, one buffer for all, frames
// that are masked once and sent again and again: what is measured is the server. Only for echoes of one size without fragments.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface EchoAsked {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** Messages on their way on each connection at any time. */
  readonly inFlight: number;
  /** Bytes of each message. */
  readonly bytes: number;
  readonly text: boolean;
  /** Length of the load. */
  readonly ms: number;
  readonly signal: AbortSignal;
}

export interface EchoSeen {
  readonly messages: number;
  /** Connections that broke off or sent anything but the echo. */
  readonly failed: number;
  /** From a message to its echo, one for each in a few. */
  readonly latencyMs: readonly number[];
  readonly totalMs: number;
  /** CPU of the generator by elapsed time: near 1 it is the generator that was measured. */
  readonly generatorLoad: number;
}

/** Every such message's latency is noted. */
const SAMPLE = 16;
const TEXT = 0x81;
const BINARY = 0x82;

/** A frame's head without mask. */
function headOf(first: number, length: number, masked: boolean): Buffer {
  const bit = masked ? 0x80 : 0;
  if (length < 126) return Buffer.from([first, length | bit]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = (length < 65_536 ? 126 : 127) | bit;
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeUInt32BE(length, 6);
  return head;
}

/** The frame that is sent, and the one that must come back. */
function framesOf({ bytes, text }: EchoAsked): { readonly out: Buffer; readonly back: Buffer } {
  const first = text ? TEXT : BINARY;
  const payload = Buffer.alloc(bytes, text ? "message " : randomBytes(64));
  const mask = Buffer.from([0x5a, 0x3c, 0x96, 0xe1]);
  const masked = Buffer.from(payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0)));
  return {
    out: Buffer.concat([headOf(first, bytes, true), mask, masked]),
    back: Buffer.concat([headOf(first, bytes, false), payload]),
  };
}

/** One connection. */
class Echoer {
  readonly opened: Promise<void>;
  messages = 0;
  failed = false;
  readonly #socket: Socket;
  /** As many frames as are ever sent at once. */
  readonly #out: Buffer;
  readonly #outBytes: number;
  readonly #back: Buffer;
  readonly #sentAtMs: Float64Array;
  readonly #latencyMs: number[];
  #handshake = "";
  #open = false;
  #running = false;
  /** Bytes of the echo that has begun. */
  #partial = 0;

  constructor(asked: EchoAsked, buffer: Buffer, out: Buffer, back: Buffer, latencyMs: number[]) {
    this.#out = out;
    this.#outBytes = out.length / asked.inFlight;
    this.#back = back;
    this.#sentAtMs = new Float64Array(asked.inFlight);
    this.#latencyMs = latencyMs;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.opened = promise;
    const callback = (length: number): boolean => {
      this.#take(buffer, length, resolve);
      return true;
    };
    this.#socket = connect({ host: "127.0.0.1", port: asked.port, noDelay: true, onread: { buffer, callback } });
    this.#socket.once("connect", () => this.#socket.write(handshake(asked.path)));
    this.#socket.once("error", () => undefined); // "close" follows.
    this.#socket.once("close", () => {
      this.failed ||= this.#running || !this.#open;
      resolve();
    });
  }

  start(): void {
    this.#running = true;
    this.#sentAtMs.fill(performance.now());
    this.#socket.write(this.#out);
  }

  stop(): void {
    this.#running = false;
  }

  close(): void {
    this.#running = false;
    this.#socket.destroy();
  }

  #take(buffer: Buffer, length: number, opened: () => void): void {
    if (!this.#open) {
      this.#handshake += buffer.toString("latin1", 0, length);
      this.#open = this.#handshake.startsWith("HTTP/1.1 101 ") && this.#handshake.endsWith("\r\n\r\n");
      if (this.#open) opened();
      return;
    }
    const size = this.#back.length;
    const all = this.#partial + length;
    const echoes = Math.floor(all / size);
    // The last echo that is whole is compared byte for byte; what is wrong in between shifts it.
    const lastAt = echoes * size - this.#partial - size;
    if (echoes > 0 && lastAt >= 0 && buffer.compare(this.#back, 0, size, lastAt, lastAt + size) !== 0) this.failed = true;
    this.#partial = all - echoes * size;
    if (echoes === 0 || !this.#running) return;
    const now = performance.now();
    const places = this.#sentAtMs.length;
    for (let i = 0; i < echoes; i++) {
      const place = (this.messages + i) % places;
      if ((this.messages + i) % SAMPLE === 0) this.#latencyMs.push(now - (this.#sentAtMs[place] ?? now));
      this.#sentAtMs[place] = now;
    }
    this.messages += echoes;
    if (echoes > places) this.failed = true;
    else this.#socket.write(this.#out.subarray(0, echoes * this.#outBytes));
  }
}

function handshake(path: string): string {
  const fields = ["host: 127.0.0.1", "upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"];
  return `GET ${path} HTTP/1.1\r\n${fields.join("\r\n")}\r\nsec-websocket-key: ${randomBytes(16).toString("base64")}\r\n\r\n`;
}

/** Makes the load; `work` gets what is to be measured, between the connecting and the closing. */
export async function askEchoes<T>(asked: EchoAsked, work: (run: () => Promise<EchoSeen>) => Promise<T>): Promise<T> {
  const buffer = Buffer.alloc(262_144);
  const { out, back } = framesOf(asked);
  const many = Buffer.concat(Array.from({ length: asked.inFlight }, () => out));
  const latencyMs: number[] = [];
  const echoers: Echoer[] = [];
  try {
    for (let at = 0; at < asked.connections; at++) {
      const echoer = new Echoer(asked, buffer, many, back, latencyMs);
      echoers.push(echoer);
      // A few at a time: a storm of connections is another load.
      if (at % 50 === 49) await echoer.opened;
    }
    await Promise.all(echoers.map((echoer) => echoer.opened));
    return await work(() => run(asked, echoers, latencyMs));
  } finally {
    for (const echoer of echoers) echoer.close();
  }
}

async function run({ ms, signal }: EchoAsked, echoers: readonly Echoer[], latencyMs: readonly number[]): Promise<EchoSeen> {
  const cpuBefore = process.cpuUsage();
  const fromMs = performance.now();
  for (const echoer of echoers) echoer.start();
  await sleep(ms, undefined, { signal });
  for (const echoer of echoers) echoer.stop();
  const totalMs = performance.now() - fromMs;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    messages: echoers.reduce((sum, echoer) => sum + echoer.messages, 0),
    failed: echoers.filter((echoer) => echoer.failed || echoer.messages === 0).length,
    latencyMs,
    totalMs,
    generatorLoad: (cpu.user + cpu.system) / 1000 / totalMs,
  };
}

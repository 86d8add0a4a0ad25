// Sends requests at a rate that does not depend on answers, as many independent callers do, and counts what comes back in time.
// Times count from when a request was due, not from when it could be sent: a server that stalls does not get its own stall left out.

import { connect, type Socket } from "node:net";
import { AnswerReader } from "../model/answers.ts";

export interface Offer {
  readonly port: number;
  readonly target: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** An answer that takes longer does not count. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Offered {
  readonly sent: number;
  /** Answers of status 200 within the deadline, and while requests were still being sent: what comes later is a queue that empties. */
  readonly good: number;
  /** Answers by status; those of 200 that came too late as 0. */
  readonly byStatus: Readonly<Record<number, number>>;
  /** Connections that broke off, and answers that never came. */
  readonly failed: number;
  /** Of answers of status 200 within the deadline, in milliseconds. */
  readonly goodMs: readonly number[];
  /** Of the refusals (503), in milliseconds. */
  readonly refusedMs: readonly number[];
  /** From the first request until the last was due, in milliseconds. */
  readonly elapsedMs: number;
  /** CPU of the generator by elapsed time: near 1 it is the generator that was measured. */
  readonly generatorLoad: number;
}

/** Connections that wait for an answer at the same time, at most: a bound against hanging, far above what is measured. */
const MOST_CONNECTIONS = 8_000;
/** How long answers may take after the last request, beyond the deadline. */
const PATIENCE_MS = 2_000;

interface Waiting {
  readonly dueMs: number;
}

class Pool {
  readonly #offer: Offer;
  readonly #request: Buffer;
  readonly #idle: Line[] = [];
  readonly lines = new Set<Line>();
  readonly byStatus: Record<number, number> = {};
  readonly goodMs: number[] = [];
  readonly refusedMs: number[] = [];
  failed = 0;
  good = 0;
  readonly #untilMs: number;

  constructor(offer: Offer, untilMs: number) {
    this.#offer = offer;
    this.#untilMs = untilMs;
    this.#request = Buffer.from(`GET ${offer.target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  }

  send(dueMs: number): void {
    if (this.#idle.length === 0 && this.lines.size >= MOST_CONNECTIONS) {
      this.failed++;
      return;
    }
    const line = this.#idle.pop() ?? new Line(this.#offer.port, this);
    line.send(this.#request, { dueMs });
  }

  answered(line: Line, { dueMs }: Waiting, status: number): void {
    this.#idle.push(line);
    const nowMs = performance.now();
    const ms = nowMs - dueMs;
    const inTime = ms <= this.#offer.deadlineMs;
    const counted = status === 200 && !inTime ? 0 : status;
    this.byStatus[counted] = (this.byStatus[counted] ?? 0) + 1;
    if (counted === 200) {
      this.goodMs.push(ms);
      if (nowMs <= this.#untilMs) this.good++;
    } else if (counted === 503) this.refusedMs.push(ms);
  }

  broke(line: Line): void {
    this.lines.delete(line);
    const at = this.#idle.indexOf(line);
    if (at >= 0) this.#idle.splice(at, 1);
    else this.failed++;
  }

  get waiting(): number {
    return this.lines.size - this.#idle.length;
  }
}

/** One connection, one request at a time. */
class Line {
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
  #waiting: Waiting | null = null;

  constructor(port: number, pool: Pool) {
    pool.lines.add(this);
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.on("data", (chunk: Buffer) => {
      const status = this.#reader.take(chunk);
      const waiting = this.#waiting;
      if (status === 0 || waiting === null) return;
      this.#waiting = null;
      pool.answered(this, waiting, status);
    });
    this.#socket.on("error", () => undefined); // "close" follows.
    this.#socket.on("close", () => pool.broke(this));
  }

  send(request: Buffer, waiting: Waiting): void {
    this.#waiting = waiting;
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }
}

/** Offers a load, at random times that are independent of each other, and waits for what comes of it. */
export async function offer(asked: Offer): Promise<Offered> {
  const cpuBefore = process.cpuUsage();
  const fromMs = performance.now();
  const untilMs = fromMs + asked.seconds * 1000;
  const pool = new Pool(asked, untilMs);
  let dueMs = fromMs;
  let sent = 0;
  try {
    while (dueMs < untilMs) {
      asked.signal.throwIfAborted();
      for (; dueMs <= performance.now() && dueMs < untilMs; sent++) {
        pool.send(dueMs);
        dueMs += (-Math.log(1 - Math.random()) * 1000) / asked.perSecond;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const elapsedMs = performance.now() - fromMs;
    const cpu = process.cpuUsage(cpuBefore);
    const endMs = performance.now() + asked.deadlineMs + PATIENCE_MS;
    while (pool.waiting > 0 && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5));
    return {
      sent,
      good: pool.good,
      byStatus: pool.byStatus,
      failed: pool.failed + pool.waiting,
      goodMs: pool.goodMs,
      refusedMs: pool.refusedMs,
      elapsedMs,
      generatorLoad: (cpu.user + cpu.system) / 1000 / elapsedMs,
    };
  } finally {
    for (const line of pool.lines) line.close();
  }
}

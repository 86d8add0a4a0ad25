// Asks for many streams at once over raw sockets, one each, and counts their events; one process, one buffer for all.
// Connections are made before the clock starts, and the requests are spread over a while: what is measured is streams.
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { EventCounter } from "../model/events.ts";

export interface StreamsAsked {
  readonly port: number;
  readonly target: string;
  readonly streams: number;
  /** Events of each. */
  readonly events: number;
  /** The requests are sent evenly over this time. */
  readonly rampMs: number;
  /** A stream that has not ended by then has failed. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface StreamsSeen {
  readonly events: number;
  /** Streams that ended as they should. */
  readonly whole: number;
  readonly failed: number;
  /** From request to first event, one for each stream that had one. */
  readonly firstMs: readonly number[];
  /** From the first request to the last event. */
  readonly totalMs: number;
  /** CPU of the generator by elapsed time: near 1 it is the generator that was measured. */
  readonly generatorLoad: number;
}

/** One connection and its one stream. */
class Stream {
  readonly counter = new EventCounter();
  readonly done: Promise<boolean>;
  readonly opened: Promise<void>;
  firstMs: number | undefined;
  #sentAtMs = 0;
  readonly #socket: Socket;
  readonly #asked: StreamsAsked;

  constructor(asked: StreamsAsked, buffer: Uint8Array) {
    this.#asked = asked;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.done = promise;
    const opened = Promise.withResolvers<void>();
    this.opened = opened.promise;
    const callback = (length: number): boolean => {
      this.#take(buffer.subarray(0, length), resolve);
      return true;
    };
    this.#socket = connect({ host: "127.0.0.1", port: asked.port, noDelay: true, onread: { buffer, callback } });
    this.#socket.once("connect", () => opened.resolve());
    this.#socket.once("error", () => undefined); // "close" follows.
    this.#socket.once("close", () => {
      opened.resolve();
      resolve(false);
    });
  }

  send(): void {
    this.#sentAtMs = performance.now();
    this.#socket.write(`GET ${this.#asked.target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Uint8Array, done: (whole: boolean) => void): void {
    const { counter } = this;
    counter.take(bytes);
    if (counter.events > 0) this.firstMs ??= performance.now() - this.#sentAtMs;
    if (counter.ended) done(!counter.wrong && counter.events === this.#asked.events);
    else if (counter.wrong) done(false);
  }
}

/** Makes the load; `work` gets what is to be measured, between the connecting and the closing. */
export async function askStreams<T>(asked: StreamsAsked, work: (run: () => Promise<StreamsSeen>) => Promise<T>): Promise<T> {
  const buffer = Buffer.alloc(65_536);
  const streams: Stream[] = [];
  try {
    for (let at = 0; at < asked.streams; at++) {
      const stream = new Stream(asked, buffer);
      streams.push(stream);
      // A few at a time: a storm of connections is another load.
      if (at % 50 === 49) await stream.opened;
    }
    await Promise.all(streams.map((stream) => stream.opened));
    return await work(() => run(asked, streams));
  } finally {
    for (const stream of streams) stream.close();
  }
}

async function run(asked: StreamsAsked, streams: readonly Stream[]): Promise<StreamsSeen> {
  const cpuBefore = process.cpuUsage();
  const fromMs = performance.now();
  for (const [at, stream] of streams.entries()) {
    const dueMs = fromMs + (asked.rampMs * at) / streams.length;
    while (performance.now() < dueMs) await sleep(1, undefined, { signal: asked.signal });
    stream.send();
  }
  const late = new AbortController();
  const deadline = sleep(asked.deadlineMs, "late" as const, { signal: AbortSignal.any([asked.signal, late.signal]) });
  const all = Promise.all(streams.map((stream) => stream.done));
  const outcome = await Promise.race([all, deadline]);
  late.abort();
  deadline.catch(() => undefined);
  const totalMs = performance.now() - fromMs;
  const cpu = process.cpuUsage(cpuBefore);
  const whole = outcome === "late" ? streams.filter((stream) => stream.counter.ended).length : outcome.filter(Boolean).length;
  return {
    events: streams.reduce((sum, stream) => sum + stream.counter.events, 0),
    whole,
    failed: streams.length - whole,
    firstMs: streams.map((stream) => stream.firstMs).filter((ms) => ms !== undefined),
    totalMs,
    generatorLoad: (cpu.user + cpu.system) / 1000 / totalMs,
  };
}

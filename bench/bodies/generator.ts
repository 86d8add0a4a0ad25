// Moves large bodies over a few raw connections for some seconds, up or down; one process, one buffer for all that comes.
// Every request that was begun is finished, and the time runs until then, so that no byte is counted that did not arrive.
import { connect, type Socket } from "node:net";
import { type Answer, AnswerReader } from "../model/answer.ts";

export interface BodiesAsked {
  readonly port: number;
  readonly target: string;
  /** Size of a body. */
  readonly bytes: number;
  readonly direction: "up" | "down";
  readonly connections: number;
  /** No request begins after this. */
  readonly seconds: number;
  /** Whatever is under way by then has failed. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface BodiesSeen {
  /** Bodies that were moved whole. */
  readonly bodies: number;
  readonly failed: number;
  readonly totalMs: number;
  /** CPU of the generator by elapsed time: near 1 it is the generator that was measured. */
  readonly generatorLoad: number;
}

/** Large, so that reading costs few system calls; shared, as each read is looked at before the next. */
const READ_BYTES = 1024 * 1024;
const PIECE = Buffer.alloc(256 * 1024, "x");

/** One connection, one request at a time. */
class Mover {
  readonly #asked: BodiesAsked;
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
  #settle: ((answer: Answer | null) => void) | null = null;
  #broken = false;

  constructor(asked: BodiesAsked, buffer: Buffer) {
    this.#asked = asked;
    const callback = (length: number): boolean => {
      const taken = this.#reader.take(buffer.subarray(0, length));
      if (!taken.ok) this.close();
      else if (taken.value !== null) this.#end(taken.value);
      return true;
    };
    this.#socket = connect({ host: "127.0.0.1", port: asked.port, noDelay: true, onread: { buffer, callback } });
    this.#socket.once("error", () => undefined); // "close" follows.
    this.#socket.once("close", () => this.close());
  }

  /** Moves one body; whether it arrived whole. */
  async move(): Promise<boolean> {
    if (this.#broken) return false;
    const { direction, target, bytes } = this.#asked;
    const { promise, resolve } = Promise.withResolvers<Answer | null>();
    this.#settle = resolve;
    if (direction === "down") this.#socket.write(`GET ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
    else {
      const type = "content-type: application/octet-stream";
      this.#socket.write(`POST ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n${type}\r\ncontent-length: ${bytes}\r\n\r\n`);
      this.#sendRest(bytes);
    }
    const answer = await promise;
    if (answer?.status !== 200) return false;
    return direction === "down" ? answer.bodyBytes === bytes : answer.begin === JSON.stringify({ bytes });
  }

  close(): void {
    this.#broken = true;
    this.#socket.destroy();
    this.#end(null);
  }

  #end(answer: Answer | null): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(answer);
  }

  /** One piece after the other, each when the one before is with the kernel. */
  #sendRest(left: number): void {
    if (left === 0 || this.#settle === null) return;
    const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
    this.#socket.write(piece, (error) => {
      if (error === undefined || error === null) this.#sendRest(left - piece.length);
    });
  }
}

/** Makes the load. */
export async function moveBodies(asked: BodiesAsked): Promise<BodiesSeen> {
  const buffer = Buffer.alloc(READ_BYTES);
  const movers = Array.from({ length: asked.connections }, () => new Mover(asked, buffer));
  const closeAll = (): void => {
    for (const mover of movers) mover.close();
  };
  asked.signal.addEventListener("abort", closeAll, { once: true });
  const deadline = setTimeout(closeAll, asked.deadlineMs);
  const cpuBefore = process.cpuUsage();
  const fromMs = performance.now();
  const seen = { bodies: 0, failed: 0 };
  const work = async (mover: Mover): Promise<void> => {
    do {
      if (await mover.move()) seen.bodies++;
      else {
        seen.failed++;
        return;
      }
    } while (performance.now() - fromMs < asked.seconds * 1000);
  };
  try {
    await Promise.all(movers.map(work));
    asked.signal.throwIfAborted();
    const totalMs = performance.now() - fromMs;
    const cpu = process.cpuUsage(cpuBefore);
    return { ...seen, totalMs, generatorLoad: (cpu.user + cpu.system) / 1000 / totalMs };
  } finally {
    clearTimeout(deadline);
    asked.signal.removeEventListener("abort", closeAll);
    closeAll();
  }
}

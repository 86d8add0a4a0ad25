// A handler that answers and reads in many ways, drawn by chance from a seed. Its instance gets the text of this file, as it is.

import { createHash } from "node:crypto";

/** Sizes of pieces around the edges of what is joined, gathered and cut on the way. */
export const SIZES = [
  0, 1, 2, 30, 900, 4_095, 4_096, 4_097, 8_192, 16_383, 16_384, 16_385, 40_000, 65_535, 65_536, 65_537, 131_072, 300_000,
] as const;

/** Numbers in [0, 1), the same ones for the same seed (the generator mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A prime, so that two seeds give other letters nearly everywhere. */
const PERIOD = 1_000_003;
const ALPHABET = ((): Buffer => {
  const draw = chance(0);
  return Buffer.from(Array.from({ length: PERIOD }, () => 97 + Math.floor(draw() * 26)));
})();

/** Letters that depend on their seed and place. */
export function letters(seed: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let from = (seed * 7_919) % PERIOD;
  for (let at = 0; at < length; from = 0) at += ALPHABET.copy(bytes, at, from);
  return bytes;
}

/** One of the sizes, or a small one. */
export function sizeOf(draw: () => number): number {
  return draw() < 0.5 ? 1 + Math.floor(draw() * 40) : (SIZES[Math.floor(draw() * SIZES.length)] ?? 0);
}

/** Waits now and then. */
export async function pause(draw: () => number, mostMs: number): Promise<void> {
  const kind = draw();
  if (kind < 0.3) await new Promise((done) => setImmediate(done));
  else if (kind < 0.34) await new Promise((done) => setTimeout(done, 1 + draw() * mostMs));
}

async function* pieces(seed: number, length: number, asText: boolean): AsyncGenerator<string | Uint8Array> {
  const bytes = letters(seed, length);
  const draw = chance(seed + 1);
  for (let at = 0; at < length; ) {
    const piece = bytes.subarray(at, at + sizeOf(draw));
    at += piece.length;
    yield asText ? piece.toString() : piece;
    await pause(draw, 5);
  }
}

/** What is read of a request. */
interface Read {
  readonly url: string;
  readonly body: ReadableStream<Uint8Array> | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

async function hashOf(request: Read, draw: () => number): Promise<string> {
  const hash = createHash("sha1");
  if (draw() < 0.5) hash.update(Buffer.from(await request.arrayBuffer()));
  else {
    for await (const piece of request.body ?? []) {
      hash.update(piece);
      await pause(draw, 10);
    }
  }
  return hash.digest("hex");
}

/** Answers by ?form=, ?seed= and ?length=. */
export class Mixed {
  async handle(request: Read): Promise<unknown> {
    const query = new URL(request.url).searchParams;
    const seed = Number(query.get("seed"));
    const length = Number(query.get("length"));
    const streamed = (): ReadableStream => ReadableStream.from(pieces(seed, length, false));
    switch (query.get("form")) {
      case "bytes":
        return letters(seed, length);
      case "text":
        return letters(seed, length).toString();
      case "stream":
        return pieces(seed, length, false);
      case "texts":
        return pieces(seed, length, true);
      case "response":
        return new Response(streamed());
      case "sized":
        return new Response(streamed(), { headers: { "content-length": String(length) } });
      case "hash":
        return hashOf(request, chance(seed + 2));
      case "late":
        await new Promise((done) => setTimeout(done, 50));
        return request.body;
      default:
        return request.body;
    }
  }
}

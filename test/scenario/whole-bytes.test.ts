// Every caller gets its own bytes and nobody else's, however large, slow and many: memory that answers lie in is used again and again
// (rpc/src/inbox.ts), and requests of one session share it.

import { once } from "node:events";
import { type IncomingMessage, get } from "node:http";
import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { openHttp2 } from "../support/http2.ts";
import { openSocket, startInstance } from "../support/instance.ts";
import { openWebSocket } from "../support/websocket.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const instance = await startInstance({ h2cPort: 0 });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

/** Bytes that tell by themselves whose they are and where. */
function pattern(seed: number, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let word = seed * 2_654_435_761 + 1;
  for (let i = 0; i < words.length; i++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[i] = word;
  }
  return Buffer.from(words.buffer, 0, length);
}

// Handlers travel by their source, so it is written out there again.
await serve.createBackend({
  name: "bytes",
  handler: class Bytes {
    handle(request: HandlerRequest): unknown {
      const query = new URL(request.url).searchParams;
      const [seed, length] = [Number(query.get("seed")), Number(query.get("bytes"))];
      const words = new Uint32Array(Math.ceil(length / 4));
      let word = seed * 2_654_435_761 + 1;
      for (let i = 0; i < words.length; i++) {
        word ^= word << 13;
        word ^= word >>> 17;
        word ^= word << 5;
        words[i] = word;
      }
      const all = new Uint8Array(words.buffer, 0, length);
      const as = query.get("as");
      if (as === "whole") return all;
      const sizes = as === "large" ? [150_000, 70_000, 65_536, 5_000] : [900, 30, 5_000, 17_000];
      return (async function* () {
        for (let at = 0, i = 0; at < length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          yield all.subarray(at, at + size);
          at += size;
          if (i % 7 === 0) await new Promise((done) => setTimeout(done, 1));
        }
      })();
    }
  },
  config: { numReplicas: 2 },
});
await serve.createEndpoint("bytes", { backend: "bytes", route: "/bytes" });
await serve.createBackend({
  name: "echo",
  handler: async (request: HandlerRequest) => {
    if (!request.isWebSocket) return request.body ?? "";
    const socket = request.acceptWebSocket();
    for await (const message of socket) await socket.send(message);
    return null;
  },
  config: { numReplicas: 2 },
});
await serve.createEndpoint("echo", { backend: "echo", route: "/echo", methods: ["GET", "POST"] });

const FORMS = ["whole", "large", "small"] as const;
const SIZES = [1, 4_095, 4_096, 8_192, 8_193, 16_383, 16_384, 65_535, 65_536, 65_537, 200_000, MIB];

const pathOf = (seed: number, length: number, as: string): string => `/bytes?seed=${seed}&bytes=${length}&as=${as}`;

/** What came, pause after pause where the reader is slow. */
async function read(response: IncomingMessage, pauseMs: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of response) {
    pieces.push(piece);
    if (pauseMs > 0) await new Promise((done) => setTimeout(done, pauseMs));
  }
  return Buffer.concat(pieces);
}

async function ask(seed: number, length: number, as: string, pauseMs = 0): Promise<boolean> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(serve.httpUrl.replace(/\/$/, "") + pathOf(seed, length, as), resolve).on("error", reject);
  });
  if (pauseMs > 0) await new Promise((done) => setTimeout(done, 20 * pauseMs));
  return (await read(response, pauseMs)).equals(pattern(seed, length));
}

test("the last word of the pattern depends on its seed", () => {
  expect(pattern(1, 40).equals(pattern(2, 40))).toBe(false);
  expect(pattern(1, 40).subarray(36).equals(pattern(2, 40).subarray(36))).toBe(false);
});

test("answers of every size and form, all at once, over HTTP/1.1", async () => {
  const asked = FORMS.flatMap((as, f) => SIZES.flatMap((length, s) => [1, 2, 3].map((n) => ask(100 * f + 10 * s + n, length, as))));
  expect(await Promise.all(asked)).not.toContain(false);
});

test("callers who read slowly get their own bytes while others fill the memory that theirs lay in", async () => {
  const slow = FORMS.map((as, i) => ask(7_000 + i, 24 * MIB, as, 10));
  const quick = async (from: number): Promise<boolean> => {
    let right = true;
    for (let n = 0; n < 40; n++) right &&= await ask(from + n, SIZES[n % SIZES.length] ?? 1, FORMS[n % 3] ?? "whole");
    return right;
  };
  expect(await Promise.all([...slow, quick(8_000), quick(9_000)])).not.toContain(false);
});

test("answers that share a connection come one behind the other, byte for byte", async () => {
  const socket = await openSocket(serve.httpUrl);
  const wanted = FORMS.flatMap((as, f) => [20_000, 65_536, 300_000].map((length, s) => ({ seed: 500 + 10 * f + s, length, as })));
  let last = false;
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  const ended = once(socket, "end");
  for (const [i, { seed, length, as }] of wanted.entries()) {
    last = i === wanted.length - 1;
    socket.write(`GET ${pathOf(seed, length, as)} HTTP/1.1\r\nhost: x\r\n${last ? "connection: close\r\n" : ""}\r\n`);
  }
  await ended;
  let rest = Buffer.concat(pieces);
  for (const { seed, length } of wanted) {
    const head = rest.indexOf("\r\n\r\n") + 4;
    const text = rest.toString("latin1", 0, head);
    const whole = /content-length: (\d+)/i.exec(text);
    rest = rest.subarray(head);
    const body: Buffer[] = [];
    if (whole !== null) {
      body.push(rest.subarray(0, Number(whole[1])));
      rest = rest.subarray(Number(whole[1]));
    } else {
      for (let size = -1; size !== 0; ) {
        const line = rest.indexOf("\r\n");
        size = Number.parseInt(rest.toString("latin1", 0, line), 16);
        body.push(rest.subarray(line + 2, line + 2 + size));
        rest = rest.subarray(line + 4 + size);
      }
    }
    expect(Buffer.concat(body).equals(pattern(seed, length))).toBe(true);
  }
  expect(rest).toHaveLength(0);
});

test("a large value has its length, and HEAD has it too", async () => {
  const response = await instance.fetch(pathOf(1, 3 * MIB, "whole"));
  expect(response.headers.get("content-length")).toBe(String(3 * MIB));
  expect((await response.bytes()).length).toBe(3 * MIB);
  const head = await instance.fetch(pathOf(1, 3 * MIB, "whole"), { method: "HEAD" });
  expect(head.headers.get("content-length")).toBe(String(3 * MIB));
});

test("over HTTP/2, WebSockets, uploads and handles at once", async () => {
  await using client = openHttp2(serve.h2cUrl ?? "");
  const overHttp2 = async (seed: number, length: number, as: string): Promise<boolean> => {
    const stream = client.session.request({ ":path": pathOf(seed, length, as) });
    const pieces: Buffer[] = [];
    for await (const piece of stream) pieces.push(piece);
    return Buffer.concat(pieces).equals(pattern(seed, length));
  };
  const overWebSocket = async (seed: number): Promise<boolean> => {
    const talk = await openWebSocket(serve.httpUrl, "/echo");
    const lengths = [1, 125, 126, 8_191, 8_192, 65_535, 65_536, 200_000];
    for (const [i, length] of lengths.entries()) talk.ws.send(pattern(seed + i, length));
    let right = true;
    for (const [i, length] of lengths.entries()) right &&= pattern(seed + i, length).equals(Buffer.from(await talk.next()));
    talk.ws.close();
    return right;
  };
  const up = async (seed: number, length: number): Promise<boolean> => {
    const body = new Uint8Array(pattern(seed, length));
    const response = await instance.fetch("/echo", { method: "POST", body });
    return Buffer.from(await response.bytes()).equals(pattern(seed, length));
  };
  const byHandle = async (seed: number, length: number): Promise<boolean> => {
    const answer = await serve.handle("echo").send(new Uint8Array(pattern(seed, length)));
    return Buffer.from(await answer.bytes()).equals(pattern(seed, length));
  };
  const all = SIZES.flatMap((length, i) => [
    ...FORMS.map((as, f) => overHttp2(2_000 + 10 * i + f, length, as)),
    overWebSocket(3_000 + 20 * i),
    up(4_000 + i, length),
    byHandle(5_000 + i, length),
  ]);
  expect(await Promise.all(all)).not.toContain(false);
});

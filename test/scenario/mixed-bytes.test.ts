// Whatever the mixture of sizes, pauses, forms and ways: answers and bodies arrive byte for byte, also beside callers who leave.
// The mixtures are drawn from seeds, which a failure names. HEADGATE_SEED sets the first one, HEADGATE_ROUNDS how many there are.

import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { request as requestHttps } from "node:https";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { afterAll, expect, test } from "@jest/globals";
import { CERTIFICATE } from "../support/certificates.ts";
import { REPOSITORY, openSocket, startInstance, temporaryFolder, waitFor } from "../support/instance.ts";
import { chance, letters, pause, sizeOf } from "../support/mixed.ts";
import { inFlight } from "../support/observed.ts";

const FIRST_SEED = Number(process.env.HEADGATE_SEED ?? "1");
const ROUNDS = Number(process.env.HEADGATE_ROUNDS ?? "20");
const AT_ONCE = 40;
const ANSWERS = ["bytes", "text", "stream", "texts", "response", "sized"] as const;
const UPLOADS = ["echo", "late", "hash"] as const;
const WAYS = ["HTTP/1.1", "pipelined", "h2c", "TLS", "HTTP/2 over TLS", "handle"] as const;

const folder = await temporaryFolder();
afterAll(async () => folder[Symbol.asyncDispose]());
await writeFile(join(folder.path, "cert.pem"), CERTIFICATE.cert);
await writeFile(join(folder.path, "key.pem"), CERTIFICATE.key);
const instance = await startInstance({
  files: { "mixed.ts": await readFile(join(REPOSITORY, "test/support/mixed.ts"), "utf8") },
  h2cPort: 0,
  httpsPort: 0,
  tlsCert: join(folder.path, "cert.pem"),
  tlsKey: join(folder.path, "key.pem"),
});
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend({ name: "mixed", handler: "./mixed.ts#Mixed", config: { numReplicas: 2, maxConcurrentQueries: 500 } });
await serve.createEndpoint("mixed", { backend: "mixed", route: "/mixed", methods: ["GET", "POST"] });

/** What is asked of the handler, and what is to come back. */
interface Question {
  readonly path: string;
  /** Null: a GET. */
  readonly body: Buffer | null;
  /** Whether the length of the body is told. */
  readonly sized: boolean;
  readonly answer: Buffer;
}

function question(seed: number, draw: () => number): Question {
  const kind = draw();
  const length = Math.floor(kind < 0.3 ? draw() * 300 : kind < 0.7 ? draw() * 200_000 : draw() * 3_000_000);
  const forms = draw() < 0.6 ? ANSWERS : UPLOADS;
  const form = forms[Math.floor(draw() * forms.length)] ?? "echo";
  const path = `/mixed?form=${form}&seed=${seed}&length=${length}`;
  const all = letters(seed, length);
  if (forms === ANSWERS) return { path, body: null, sized: true, answer: all };
  const answer = form === "hash" ? Buffer.from(createHash("sha1").update(all).digest("hex")) : all;
  return { path, body: all, sized: draw() < 0.5, answer };
}

/** Writes a body in pieces of all sizes, with pauses, as far as there is room. */
async function write(to: Writable, body: Buffer, draw: () => number): Promise<void> {
  for (let at = 0; at < body.length && !to.destroyed; ) {
    const piece = body.subarray(at, at + sizeOf(draw));
    at += piece.length;
    if (piece.length > 0 && !to.write(piece)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          to.off("drain", go).off("close", go);
          resolve();
        };
        to.on("drain", go).on("close", go);
      });
    }
    await pause(draw, 10);
  }
  to.end();
}

/** Reads with pauses, to the end or until so many bytes are there. */
function read(from: Readable, draw: () => number, leavesAfter: number): Promise<Buffer> {
  const slow = draw() < 0.4;
  const pieces: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    const done = (): void => resolve(Buffer.concat(pieces));
    // What is missing of an answer that breaks off is seen by whoever compares.
    from.on("end", done).on("close", done).on("error", done);
    from.on("data", (piece: Buffer) => {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes >= leavesAfter) done();
      else if (slow) {
        from.pause();
        void pause(draw, 30).then(() => from.resume());
      }
    });
    if (!slow) return;
    from.pause();
    setTimeout(() => from.resume(), draw() * 100);
  });
}

/** Asks over one of the ways, and resolves with what came. */
type Ask = (asked: Question, draw: () => number, leavesAfter: number) => Promise<Buffer>;

const byNodeHttp = (asking: (path: string, options: { method: string; headers: Record<string, string> }) => ClientRequest): Ask => {
  return async ({ path, body, sized }, draw, leavesAfter) => {
    const headers: Record<string, string> = body !== null && sized ? { "content-length": String(body.length) } : {};
    const request = asking(path, { method: body === null ? "GET" : "POST", headers });
    request.on("error", () => undefined);
    const response = new Promise<IncomingMessage>((resolve, reject) => request.once("response", resolve).once("error", reject));
    const written = body === null ? request.end() : write(request, body, draw);
    try {
      return await read(await response, draw, leavesAfter);
    } finally {
      request.destroy();
      await written;
    }
  };
};

const sessions: ClientHttp2Session[] = [];
afterAll(() => {
  for (const session of sessions) session.destroy();
});
const byHttp2 = (url: string): Ask => {
  const session = connectHttp2(url, { ca: CERTIFICATE.cert });
  sessions.push(session);
  session.on("error", () => undefined);
  return async ({ path, body, sized }, draw, leavesAfter) => {
    const length = body !== null && sized ? { "content-length": String(body.length) } : {};
    const stream = session.request({ ":path": path, ":method": body === null ? "GET" : "POST", ...length }, { endStream: body === null });
    stream.on("error", () => undefined);
    const written = body === null ? null : write(stream, body, draw);
    try {
      return await read(stream, draw, leavesAfter);
    } finally {
      stream.close(8);
      await written;
    }
  };
};

/**
 * The question behind others on its connection; resolves with its answer once all are there. A body stands last, as an answer that begins
 * before the end of its request's body ends the connection.
 */
const pipelined: Ask = async (asked, draw) => {
  const others = [1, 2, 3].map((n) => question(1_000_000 + n + Math.floor(draw() * 1_000_000), draw)).filter(({ body }) => body === null);
  const all = [...others, asked];
  const socket = await openSocket(serve.httpUrl);
  socket.on("error", () => undefined);
  for (const [i, { path, body }] of all.entries()) {
    const fields = [`${body === null ? "GET" : "POST"} ${path} HTTP/1.1`, "host: x"];
    if (body !== null) fields.push(`content-length: ${body.length}`);
    if (i === all.length - 1) fields.push("connection: close");
    socket.write(`${fields.join("\r\n")}\r\n\r\n`);
    if (body !== null) socket.write(body);
  }
  let rest = await read(socket, draw, Number.POSITIVE_INFINITY);
  const answers: Buffer[] = [];
  for (let i = 0; i < all.length; i++) {
    const end = rest.indexOf("\r\n\r\n") + 4;
    const length = /content-length: (\d+)/i.exec(rest.toString("latin1", 0, end));
    rest = rest.subarray(end);
    if (length !== null) {
      answers.push(rest.subarray(0, Number(length[1])));
      rest = rest.subarray(Number(length[1]));
      continue;
    }
    const chunks: Buffer[] = [];
    for (let size = -1; size !== 0; ) {
      const line = rest.indexOf("\r\n");
      size = Number.parseInt(rest.toString("latin1", 0, line), 16);
      if (Number.isNaN(size)) throw new Error(`no chunk: ${rest.toString("latin1", 0, 40)}`);
      chunks.push(rest.subarray(line + 2, line + 2 + size));
      rest = rest.subarray(line + 2 + size + 2);
    }
    answers.push(Buffer.concat(chunks));
  }
  for (const [i, other] of others.entries()) {
    if (answers[i]?.equals(other.answer) !== true) throw new Error(`wrong answer before it: ${other.path}`);
  }
  return answers.at(-1) ?? Buffer.alloc(0);
};

async function* cut(body: Buffer, draw: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; ) {
    const piece = body.subarray(at, at + sizeOf(draw));
    at += piece.length;
    yield piece;
    await pause(draw, 10);
  }
}

const byHandle: Ask = async ({ path, body, sized }, draw, leavesAfter) => {
  const { search } = new URL(path, "http://x");
  const given = body === null ? undefined : sized ? new Uint8Array(body) : cut(body, draw);
  const response = await serve.handle("mixed").send(given, { path: `/${search}` });
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= leavesAfter) break;
    await pause(draw, 10);
  }
  return Buffer.concat(pieces);
};

const { hostname, port } = new URL(serve.httpUrl);
const tls = new URL(serve.httpsUrl ?? "");
const ASK: Readonly<Record<(typeof WAYS)[number], Ask>> = {
  "HTTP/1.1": byNodeHttp((path, options) => requestHttp({ hostname, port, path, agent: false, ...options })),
  pipelined,
  h2c: byHttp2(serve.h2cUrl ?? ""),
  TLS: byNodeHttp((path, options) =>
    requestHttps({ hostname: tls.hostname, port: tls.port, path, agent: false, ca: CERTIFICATE.cert, ...options }),
  ),
  "HTTP/2 over TLS": byHttp2(tls.href),
  handle: byHandle,
};

/** What is wrong with the answer to a mixture; null: nothing. */
async function wrong(seed: number): Promise<string | null> {
  const draw = chance(seed);
  const way = WAYS[Math.floor(draw() * WAYS.length)] ?? "handle";
  const asked = question(seed, draw);
  const leaves = draw() < 0.15;
  const leavesAfter = leaves ? draw() * asked.answer.length : Number.POSITIVE_INFINITY;
  const what = `seed ${seed}, ${way}, ${asked.path}`;
  let got: Buffer;
  try {
    got = await ASK[way](asked, draw, leavesAfter);
  } catch (error) {
    return `${what}: ${String(error)}`;
  }
  const want = leaves ? asked.answer.subarray(0, got.length) : asked.answer;
  if (got.equals(want)) return null;
  let at = 0;
  while (at < got.length && got[at] === want[at]) at++;
  return `${what}: ${got.length} of ${want.length} bytes, another one at ${at}`;
}

test.each(Array.from({ length: ROUNDS }, (_, round) => FIRST_SEED + round))("mixtures of seed %d", async (first) => {
  const problems = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => wrong(first * 1_000 + n)));
  expect(problems.filter((problem) => problem !== null)).toEqual([]);
  await waitFor("rest", async () => (await inFlight(instance)) === 0);
});

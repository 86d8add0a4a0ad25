// Handlers that call one another, for the scenarios of composition. A module of the instance under test and, for its types, of the tests:
// it imports nothing at run time but Node.

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import type { HandlerRequest } from "headgate";

/** The files of an instance whose backends are named "./composed.ts#EXPORT". */
export const COMPOSED_FILES: Readonly<Record<string, string>> = { "composed.ts": readFileSync(import.meta.filename, "utf8") };

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** What a handler sees of its request. */
export interface Seen {
  readonly id: string;
  readonly traceparent: string | null;
  readonly tracestate: string | null;
  readonly isShadow: boolean;
  readonly remainingMs: number;
  readonly backend: string;
  readonly path: string;
}

function see(request: HandlerRequest): Seen {
  const { requestId, headers, isShadow, remainingMs, url } = request;
  const { pathname, search } = new URL(url);
  const backend = process.env.BACKEND ?? "";
  const trace = { traceparent: headers.get("traceparent"), tracestate: headers.get("tracestate") };
  return { id: requestId, ...trace, isShadow, remainingMs, backend, path: pathname + search };
}

/** One method for each thing that a handler can return. */
export class Kinds {
  handle(): string {
    return "the handle method";
  }
  text(): string {
    return "text ✓";
  }
  bytes(): Uint8Array {
    return new Uint8Array([0, 255, 1]);
  }
  async swap(request: HandlerRequest<Point>): Promise<Point> {
    const { x, y } = await request.json();
    return { x: y, y: x };
  }
  large(): readonly number[] {
    return Array.from({ length: 200_000 }, (_, i) => i);
  }
  nothing(): void {}
  response(): Response {
    return Response.json({ made: true }, { status: 201, headers: { "x-made-by": "hand" } });
  }
  async *points(): AsyncGenerator<Point> {
    for (let x = 0; x < 1_000; x++) yield { x, y: -x };
  }
  *words(): Generator<string> {
    yield* ["one ", "two ", "three"];
  }
  async *none(): AsyncGenerator<string> {}
  see(request: HandlerRequest): Seen {
    return see(request);
  }
  throws(): never {
    throw new Error("the password is hunter2");
  }
  missing(): Response {
    return Response.json({ error: "no such thing" }, { status: 404 });
  }
  async *breaks(): AsyncGenerator<Point> {
    yield { x: 0, y: 0 };
    // In a turn of its own, so that the first item has left.
    await new Promise((done) => setTimeout(done, 20));
    throw new Error("in the middle");
  }
}
export const KINDS_METHODS = Object.getOwnPropertyNames(Kinds.prototype).filter((name) => name !== "constructor");

/** Calls every kind and tells what came. */
export async function gather(request: HandlerRequest): Promise<Readonly<Record<string, unknown>>> {
  const { methods } = request.handle<typeof Kinds>("kinds");
  const points: Point[] = [];
  for await (const point of await methods.points()) points.push(point);
  let words = "";
  for await (const word of await methods.words()) words += word;
  let none = 0;
  for await (const _ of await methods.none()) none++;
  const bytes = await methods.bytes();
  const response = await methods.response();
  return {
    handle: await request.handle<typeof Kinds>("kinds").call(),
    text: await methods.text(),
    bytes: bytes instanceof Uint8Array ? [...bytes] : bytes,
    swap: await methods.swap({ x: 1, y: 2 }),
    large: (await methods.large()).at(-1),
    nothing: String(await methods.nothing()),
    response: [response.status, response.headers.get("x-made-by"), await response.json()],
    points: [points.length, points.at(-1)],
    words,
    none,
  };
}

/** Tells what it sees, and what the handler that it calls sees. The query's `with` is the call's options. */
export async function relay(request: HandlerRequest): Promise<{ readonly here: Seen; readonly there: Seen }> {
  const here = see(request);
  const options: object = JSON.parse(new URL(request.url).searchParams.get("with") ?? "{}");
  const there = await request.handle<typeof Kinds>("kinds").methods.see(undefined, options);
  return { here, there };
}

/** What of an error a caller can tell. */
export interface Told {
  readonly code: unknown;
  readonly retryable: unknown;
  readonly requestId: unknown;
  readonly details: unknown;
  readonly message: string;
}

/** Calls a method of "kinds" that the query names, by `call` or by `send`, and tells what came of it. */
export async function attempt(request: HandlerRequest): Promise<unknown> {
  const { searchParams } = new URL(request.url);
  const handle = request.handle(searchParams.get("endpoint") ?? "kinds", { method: searchParams.get("method") ?? "handle" });
  const options: object = JSON.parse(searchParams.get("with") ?? "{}");
  const body = searchParams.has("body") ? "x".repeat(Number(searchParams.get("body"))) : undefined;
  if (searchParams.has("uncaught")) return handle.call(body, options);
  try {
    if (searchParams.has("send")) {
      const response = await handle.send(body, options);
      return { status: response.status, body: await response.text() };
    }
    const result = await handle.call(body, options);
    const items: unknown[] = [];
    if (typeof result === "object" && result !== null && Symbol.asyncIterator in result) {
      for await (const item of result as AsyncIterable<unknown>) items.push(item);
      return { items };
    }
    return { result };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const [code, retryable, requestId, details] = ["code", "retryable", "requestId", "details"].map((name) => Reflect.get(error, name));
    return { code, retryable, requestId, details, message: error.message } satisfies Told;
  }
}

/** Hands its request on to the endpoint that the path names: /a/b/c goes to endpoint "a" as /b/c. */
export async function pass(request: HandlerRequest): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const [, endpoint = "", ...rest] = pathname.split("/");
  const body = request.method === "GET" ? undefined : request.body;
  const headers = { "content-type": request.headers.get("content-type") ?? "application/octet-stream" };
  return request.handle(endpoint).send(body, { path: `/${rest.join("/")}${search}`, headers });
}

/** Tells when it has a request, and when that request's signal aborts; answers only then. */
export function hold(request: HandlerRequest): Promise<string> {
  const { searchParams } = new URL(request.url);
  const name = searchParams.get("name") ?? "";
  return new Promise((resolve) => {
    request.signal.addEventListener("abort", () => {
      writeFileSync(`aborted-${name}`, String(Date.now()));
      resolve("aborted");
    });
    appendFileSync(`held-${name}`, `${process.pid}\n`);
  });
}

/** Each piece of the body in upper case, as it comes. */
export async function* upper(request: HandlerRequest): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const piece of request.body ?? []) yield decoder.decode(piece, { stream: true }).toUpperCase();
}

/** Pieces of 64 KiB without an end; a file has how many were made, and whether it was told to stop. */
export async function* flood(request: HandlerRequest): AsyncGenerator<Uint8Array> {
  const name = new URL(request.url).searchParams.get("name") ?? "";
  try {
    for (let made = 1; ; made++) {
      writeFileSync(`made-${name}`, String(made));
      yield new Uint8Array(64 * 1024);
    }
  } finally {
    writeFileSync(`stopped-${name}`, "");
  }
}

/** How many bytes came; a file has how many until now. Reads one piece, then waits for the file `go-NAME`. */
export async function drain(request: HandlerRequest): Promise<number> {
  const name = new URL(request.url).searchParams.get("name") ?? "";
  let bytes = 0;
  for await (const piece of request.body ?? []) {
    bytes += piece.length;
    writeFileSync(`drained-${name}`, String(bytes));
    while (!exists(`go-${name}`)) await new Promise((done) => setTimeout(done, 10));
  }
  return bytes;
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

/** Fibonacci numbers, by calls of itself for the two before; the body is which. */
export async function fibonacci(request: HandlerRequest<{ readonly n: number }>): Promise<number> {
  const { n } = await request.json();
  if (n < 2) return n;
  const itself = request.handle<typeof fibonacci>("fibonacci");
  const [a, b] = await Promise.all([itself.call({ n: n - 1 }), itself.call({ n: n - 2 })]);
  return a + b;
}

/** Calls an endpoint, this one if the body says so, so often one within the other. */
export async function nest(request: HandlerRequest<{ readonly levels: number; readonly endpoint: string }>): Promise<number> {
  const { levels, endpoint } = await request.json();
  return levels === 0 ? 0 : 1 + (await request.handle<typeof nest>(endpoint).call({ levels: levels - 1, endpoint }));
}

/** What a request of `journey` says: the endpoints that it goes to, one from the other, and what its last handler waits for. */
export interface Journey {
  readonly way: readonly string[];
  /** Its last handler tells in files of that name when it has it and when its signal aborts, and does not answer before. */
  readonly hold?: string;
}

/** A list of requests, each of which goes on to the next endpoint of its way: the sizes of the batches on it, outermost first. */
export function journey(requests: readonly HandlerRequest<Journey>[]): Promise<readonly unknown[]> {
  return Promise.all(
    requests.map(async (request): Promise<readonly number[]> => {
      const { way, hold } = await request.json();
      const [next, ...rest] = way;
      if (next !== undefined) {
        const further = await request.handle(next).call({ ...(hold === undefined ? {} : { hold }), way: rest });
        // As this handler answers, there too.
        return [requests.length, ...(further as readonly number[])];
      }
      if (hold !== undefined) {
        await new Promise<void>((done) => {
          request.signal.addEventListener("abort", () => {
            writeFileSync(`aborted-${hold}`, String(process.pid));
            done();
          });
          appendFileSync(`held-${hold}`, `${process.pid}\n`);
        });
      }
      return [requests.length];
    }),
  );
}
journey.acceptsBatches = true;

/** Fibonacci numbers as above, by a list. */
export function fibonacciAll(requests: readonly HandlerRequest<{ readonly n: number }>[]): Promise<readonly number[]> {
  return Promise.all(
    requests.map(async (request) => {
      const { n } = await request.json();
      if (n < 2) return n;
      const itself = request.handle<typeof fibonacci>("fibonacci-all");
      const [a, b] = await Promise.all([itself.call({ n: n - 1 }), itself.call({ n: n - 2 })]);
      return a + b;
    }),
  );
}
fibonacciAll.acceptsBatches = true;

/** A list of requests, each of which calls another endpoint by itself. */
export function seeAll(requests: readonly HandlerRequest[]): Promise<readonly unknown[]> {
  return Promise.all(
    requests.map(async (request) => {
      const { searchParams } = new URL(request.url);
      if (searchParams.has("hold"))
        return request.handle<typeof hold>("hold").call(undefined, { path: `/?name=${searchParams.get("hold")}` });
      const there = await request.handle<typeof Kinds>("kinds").methods.see(undefined);
      return { together: requests.length, here: see(request), there };
    }),
  );
}
seeAll.acceptsBatches = true;

// Streams through handlers that call other endpoints: piece by piece both ways, held back by whoever is slow, ended by whoever leaves.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { COMPOSED_FILES, KINDS_METHODS, type Kinds, type Point, type drain, type upper } from "../support/composed.ts";
import { REPOSITORY, startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance({ files: COMPOSED_FILES });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend({ name: "kinds", handler: "./composed.ts#Kinds", config: { methods: KINDS_METHODS } });
await serve.createEndpoint("kinds", { backend: "kinds" });
for (const name of ["pass", "upper", "flood", "drain"]) {
  await serve.createBackend(name, `./composed.ts#${name}`);
  await serve.createEndpoint(name, { backend: name, route: name === "pass" ? "/pass/*" : null, methods: ["GET", "POST"] });
}

const read = async (file: string): Promise<string | null> => readFile(join(instance.root, file), "utf8").catch(() => null);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What a file says when it has said the same for half a second. */
async function settled(file: string): Promise<number> {
  let last = Number.NaN;
  let since = Date.now();
  await waitFor(`${file} to stay as it is`, async () => {
    const said = Number((await read(file)) || Number.NaN);
    if (said !== last) since = Date.now();
    last = said;
    return !Number.isNaN(said) && Date.now() - since > 500;
  });
  return last;
}

test("pieces go in and come out one by one, through two handlers, while the request is still being sent", async () => {
  const sending = new TransformStream<Uint8Array, Uint8Array>();
  const writer = sending.writable.getWriter();
  const init = { method: "POST", body: sending.readable, duplex: "half" };
  // Node's fetch needs duplex, which the type that it shares with browsers does not have.
  const answer = instance.fetch("/pass/pass/upper/", init as RequestInit);
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  for (const text of ["one", "two", "three"]) {
    await writer.write(encode(text));
    // Each answer is there before the next piece is sent.
    reader ??= (await answer).body?.getReader() ?? null;
    const piece = await reader?.read();
    expect(Buffer.from(piece?.value ?? []).toString()).toBe(text.toUpperCase());
  }
  await writer.close();
  expect(await reader?.read()).toMatchObject({ done: true });
});

test("a program sends a stream of its own and reads what comes, piece by piece", async () => {
  let asked = 0;
  async function* words(): AsyncGenerator<string> {
    for (const word of ["a", "b", "c"]) {
      asked++;
      yield word;
    }
  }
  let all = "";
  for await (const piece of await serve.handle<typeof upper>("upper").call(words())) all += piece;
  expect([all, asked]).toEqual(["ABC", 3]);
  const points = async function* (): AsyncGenerator<Point> {
    for (let x = 0; x < 3; x++) yield { x, y: x };
  };
  const lines = await serve.handle("upper").send(points());
  expect(await lines.text()).toBe('{"X":0,"Y":0}\n{"X":1,"Y":1}\n{"X":2,"Y":2}\n');
});

test("a large stream arrives whole through two handlers, both ways", async () => {
  const megabytes = 8;
  const piece = "x".repeat(64 * 1024);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (let i = 0; i < megabytes * 16; i++) controller.enqueue(encode(piece));
      controller.close();
    },
  });
  const answer = await serve.handle("pass").send(body, { path: "/pass/upper/" });
  let bytes = 0;
  for await (const part of answer.body ?? []) bytes += part.length;
  expect(bytes).toBe(megabytes * 1024 * 1024);
});

test("a reader that stops reading stops the handler two calls away, and one that leaves ends it", async () => {
  const response = await serve.handle("pass").send(undefined, { path: "/pass/flood/?name=slow" });
  const reader = response.body?.getReader();
  await reader?.read();
  const made = await settled("made-slow");
  console.info(`pieces of 64 KiB made for a reader that took one, three calls away: ${made}`);
  // A window of 256 KiB for each of three ways and what each handler has in hand; without back-pressure it would go on for ever.
  expect(made).toBeLessThan(64);
  for (let i = 0; i < 32; i++) await reader?.read();
  expect(await settled("made-slow")).toBeGreaterThan(made);
  await reader?.cancel();
  await waitFor("the end of the flood", async () => (await read("stopped-slow")) !== null);
});

test("a handler that stops reading stops whoever sends, two calls away", async () => {
  let made = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    for (; made < 150; made++) yield new Uint8Array(64 * 1024);
  }
  const call = serve.handle<typeof drain>("pass").call(body(), { path: "/pass/drain/?name=slow" });
  await settled("drained-slow");
  console.info(`pieces of 64 KiB sent to a handler that took one, three calls away: ${made}`);
  expect(made).toBeLessThan(64);
  await writeFile(join(instance.root, "go-slow"), "");
  expect(await call).toBeInstanceOf(Response);
  expect(made).toBe(150);
});

test("who leaves the loop over a call's items ends the handler", async () => {
  const items = await serve.handle("flood").call(undefined, { path: "/?name=left" });
  for await (const item of items as AsyncIterable<unknown>) {
    expect(item).toBeInstanceOf(Uint8Array);
    break;
  }
  await waitFor("the end of the flood", async () => (await read("stopped-left")) !== null);
});

test("a stream that breaks off is an error in the loop, after the items before it", async () => {
  const seen: Point[] = [];
  const loop = async (): Promise<void> => {
    for await (const point of await serve.handle<typeof Kinds>("kinds").methods.breaks()) seen.push(point);
  };
  await expect(loop()).rejects.toMatchObject({ code: "handler_error" });
  expect(seen).toEqual([{ x: 0, y: 0 }]);
});

test("a source that throws ends the call with its own error", async () => {
  async function* body(): AsyncGenerator<string> {
    yield "a";
    throw new RangeError("the source is dry");
  }
  // The answer may have begun by then, or not.
  const all = async (): Promise<string> => (await serve.handle("upper").send(body())).text();
  await expect(all()).rejects.toThrow("the source is dry");
});

test("a body over the endpoint's maxBodyBytes is refused, whole or in pieces", async () => {
  await serve.createEndpoint("small", { backend: "upper", maxBodyBytes: 100 });
  const handle = serve.handle<typeof upper>("small");
  await expect(handle.call("x".repeat(101))).rejects.toMatchObject({ code: "body_too_large", details: { limit: "maxBodyBytes" } });
  async function* body(): AsyncGenerator<string> {
    for (let i = 0; i < 3; i++) yield "x".repeat(50);
  }
  const loop = async (): Promise<void> => {
    for await (const _ of await handle.call(body()));
  };
  await expect(loop()).rejects.toMatchObject({ code: "body_too_large" });
  let fits = "";
  for await (const piece of await handle.call("x".repeat(100))) fits += piece;
  expect(fits).toHaveLength(100);
});

test("a body that comes in pieces reaches a program that serves Handle alone, over HTTP and by a handle", async () => {
  const program = join(REPOSITORY, "test", "support", "garbage-replica.ts");
  await serve.createBackend("unary", { command: [process.execPath, program, "unary"] });
  await serve.createEndpoint("unary", { backend: "unary", route: "/unary/*", methods: ["POST"] });
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 5; i++) yield encode("piece");
  }
  // A way that the program does not know, which it says when it has the whole request.
  const path = "/unary/none";
  const init = { method: "POST", body: ReadableStream.from(pieces()), duplex: "half" };
  // As above.
  expect(await instance.text(path, init as RequestInit)).toBe("there is no way none");
  expect(await (await serve.handle("unary").send(pieces(), { path })).text()).toBe("there is no way none");
  expect(await (await serve.handle("unary").send("whole", { path })).text()).toBe("there is no way none");
});

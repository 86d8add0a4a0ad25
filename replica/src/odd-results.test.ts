// What handlers throw and return that nobody would expect: each costs its own request an answer of 500 and nothing else, neither a place of the
// replica nor the requests beside it.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { type HandlerRequest, LIMITS } from "@headgate/core";
import { type Reply, TestBridge, type TestReplica, startReplica, until } from "./testing/bridge.ts";

type Odd = (request: HandlerRequest) => unknown;

/** A replica with these methods. */
function serve(methods: Readonly<Record<string, Odd>>): Promise<TestReplica> {
  // A runner hands HandlerRequests to a handler that takes single ones.
  const called = Object.entries(methods).map(([name, odd]) => [name, (input: unknown) => odd(input as HandlerRequest)]);
  return startReplica(Object.fromEntries(called));
}

/** An error with a property that is no text. */
const errorWith = (properties: PropertyDescriptorMap): Error => Object.defineProperties(new Error("odd"), properties);

/** A thenable that answers as it likes. */
function thenable(then: (resolve: (value: unknown) => void) => void): object {
  const made = {};
  Reflect.set(made, "then", then);
  return made;
}

const iterable = (iterator: object | undefined): object => ({ [Symbol.asyncIterator]: () => iterator });

const THROWN: Readonly<Record<string, unknown>> = {
  "an error without a name": errorWith({ name: { value: undefined } }),
  "an error whose message is an object": errorWith({ message: { value: { reason: "odd" } } }),
  "an error whose message is a symbol": errorWith({ message: { value: Symbol("odd") } }),
  "an error whose stack cannot be read": errorWith({
    stack: {
      get: () => {
        throw new Error("not this");
      },
    },
  }),
  "an object without a prototype": Object.create(null),
  "a proxy that can no more be looked at": (() => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  })(),
};

const RESULTS: Readonly<Record<string, () => unknown>> = {
  "an async iterable without an iterator": () => iterable(undefined),
  "an iterator whose next() gives nothing": () => iterable({ next: () => Promise.resolve(undefined) }),
  "a Response with more bytes of header fields than a bridge takes": () =>
    new Response("", { headers: { "x-large": "x".repeat(2 * LIMITS.grpcMessageBytes) } }),
  "a Response with more header fields than a bridge takes": () =>
    new Response("", { headers: Array.from({ length: LIMITS.headerFields + 1 }, (_, i) => [`x-${i}`, "x"] as [string, string]) }),
  "a Blob whose type is larger than a message": () => new Blob([], { type: "x".repeat(2 * LIMITS.grpcMessageBytes) }),
};

/** Asks a replica beside a request that stays, and sees that it stays and that no place is lost. */
async function ask(replica: TestReplica, callMethod: string): Promise<Reply> {
  const bridge = new TestBridge(replica.address);
  const beside = bridge.open({ callMethod: "hold" });
  await until(() => replica.runner.load.inFlight === 1);
  const id = bridge.open({ callMethod });
  await until(() => bridge.reply(id).ended);
  await until(() => replica.runner.load.inFlight === 1);
  expect({ closed: bridge.closed, beside: bridge.reply(beside).ended }).toEqual({ closed: false, beside: false });
  bridge.cancel(beside);
  await until(() => replica.runner.load.inFlight === 0);
  bridge.close();
  return bridge.reply(id);
}

const hold: Odd = (request) => new Promise<void>((done) => request.signal.addEventListener("abort", () => done()));

test.each(Object.entries(THROWN))("a handler that throws %s, at once or later, is a handler_error", async (_, thrown) => {
  await using replica = await serve({
    hold,
    now: () => {
      throw thrown;
    },
    later: async () => {
      await nextTurn();
      throw thrown;
    },
  });
  expect((await ask(replica, "now")).fault).toBe("handler_error");
  expect((await ask(replica, "later")).fault).toBe("handler_error");
  expect(replica.logged).toHaveLength(2);
});

test.each(Object.entries(RESULTS))("a handler that returns %s is told so", async (_, result) => {
  await using replica = await serve({ hold, now: result, later: async () => result() });
  expect((await ask(replica, "now")).fault).toMatch(/^handler_(error|result_invalid)$/);
  expect((await ask(replica, "later")).fault).toMatch(/^handler_(error|result_invalid)$/);
});

test("a thenable that answers twice, or throws when it has answered, is answered once and takes one place", async () => {
  await using replica = await serve({
    hold,
    twice: () =>
      thenable((resolve) => {
        resolve("one");
        resolve("two");
      }),
    throws: () =>
      thenable((resolve) => {
        resolve("one");
        throw new Error("behind it");
      }),
  });
  for (const method of ["twice", "throws"]) expect(Buffer.concat((await ask(replica, method)).pieces).toString()).toBe("one");
});

test("an iterator that breaks off in the middle with nothing for a result ends its answer there", async () => {
  await using replica = await serve({
    hold,
    half: () => {
      let count = 0;
      return iterable({ next: async () => (count++ === 0 ? { done: false, value: "half" } : null) });
    },
  });
  expect(await ask(replica, "half")).toMatchObject({ fault: "handler_error" });
});

test("a piece that is given away when the next one is asked for has left; one that is given away before breaks off its answer", async () => {
  const size = 1.5 * LIMITS.bodyChunkBytes;
  await using replica = await serve({
    hold,
    after: async function* () {
      for (let i = 0; i < 2; i++) {
        const piece = new Uint8Array(size).fill(97 + i);
        yield piece;
        // In a turn of its own, as a handler that hands it to a worker would have it.
        await nextTurn();
        await nextTurn();
        structuredClone(piece, { transfer: [piece.buffer] });
      }
    },
    before: async function* () {
      for (let i = 0; i < 3; i++) {
        const piece = new Uint8Array(100);
        yield piece;
        structuredClone(piece, { transfer: [piece.buffer] });
      }
    },
    shrinks: () => {
      // Resizable buffers are of ES2024, and this project's types of ES2023.
      const buffer: ArrayBuffer & { resize?(size: number): void } = Reflect.construct(ArrayBuffer, [size, { maxByteLength: size }]);
      setImmediate(() => buffer.resize?.(10));
      return new Uint8Array(buffer);
    },
  });
  expect((await ask(replica, "after")).pieces.reduce((sum, { length }) => sum + length, 0)).toBe(2 * size);
  expect((await ask(replica, "before")).fault).toBe("handler_error");
  expect((await ask(replica, "shrinks")).fault).toBe("handler_error");
});

test("a handler that asks for the trailers time and again has one promise of them", async () => {
  await using replica = await serve({
    hold,
    asks: async (request) => {
      let last: unknown;
      for (let i = 0; i < 100_000; i++) last = request.trailers;
      expect(request.trailers).toBe(last);
      return (await request.trailers).get("x-behind");
    },
  });
  const bridge = new TestBridge(replica.address);
  const id = bridge.open({ callMethod: "asks", method: "POST", end: false });
  await until(() => replica.runner.load.inFlight === 1);
  bridge.body(id, null, true, ["x-behind", "there"]);
  await until(() => bridge.reply(id).ended);
  expect(bridge.text(id)).toBe("there");
  bridge.close();
});

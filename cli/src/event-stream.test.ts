// Streams of events as a Response, read as anyone reads one; what a replica makes of them stands in test/scenario/streams.test.ts.
import { expect, test } from "@jest/globals";
import { RESPONSE_PIECES } from "@headgate/core";
import { eventStream } from "./event-stream.ts";

test("events become a Response of type text/event-stream that is not kept", async () => {
  const response = eventStream(
    (async function* () {
      yield { event: "token", data: "a\nb" };
      yield "plain";
    })(),
    { headers: { "x-own": "1", "content-type": "text/plain" } },
  );
  expect(Object.fromEntries(response.headers)).toEqual({
    "cache-control": "no-cache",
    "content-type": "text/event-stream",
    "x-own": "1",
  });
  expect(await response.text()).toBe("event: token\ndata: a\ndata: b\n\ndata: plain\n\n");
});

test("a list of events is a stream of events too, and one that cannot be sent breaks it", async () => {
  expect(await eventStream(["a", { id: "1" }]).text()).toBe("data: a\n\nid: 1\n\n");
  await expect(eventStream([{}]).text()).rejects.toMatchObject({ code: "handler_result_invalid" });
});

test("a comment is sent where no event comes for keepAliveMs, and no event is lost by it", async () => {
  const gate = Promise.withResolvers<void>();
  const response = eventStream(
    (async function* () {
      await gate.promise;
      yield "first";
      yield "second";
    })(),
    { keepAliveMs: 10 },
  );
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  const read = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
  expect([await read(), await read()]).toEqual([": keep-alive\n\n", ": keep-alive\n\n"]);
  gate.resolve();
  const rest: string[] = [];
  for (let text = await read(); text !== ""; text = await read()) if (!text.startsWith(":")) rest.push(text);
  expect(rest).toEqual(["data: first\n\n", "data: second\n\n"]);
});

test.each([undefined, 60_000])("a reader who leaves ends the source, keepAliveMs %p", async (keepAliveMs) => {
  let ended = false;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<string>>(() => undefined),
      return: () => {
        ended = true;
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
  const response = eventStream(source, keepAliveMs === undefined ? {} : { keepAliveMs });
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  const reading = reader.read();
  await reader.cancel();
  await reading;
  expect(ended).toBe(true);
});

test("an error of the source is the stream's, also after comments", async () => {
  const response = eventStream(
    (async function* () {
      await new Promise((done) => setTimeout(done, 40));
      yield "begun";
      throw new Error("no");
    })(),
    { keepAliveMs: 10 },
  );
  await expect(response.text()).rejects.toThrow("no");
});

test.each([0, 9, 1.5, -1, 2 ** 31, Number.NaN])("keepAliveMs %p is refused", (keepAliveMs) => {
  expect(() => eventStream([], { keepAliveMs })).toThrow(expect.objectContaining({ code: "invalid_argument" }));
});

test("a replica finds the events beside the Response", () => {
  expect(Reflect.get(eventStream(["a"]), RESPONSE_PIECES)).toMatchObject({ encode: expect.any(Function) });
});

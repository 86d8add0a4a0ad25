// The body of a request as a handler reads it: whole, by pieces, with what follows it, and what it gives the sender.
import { expect, test } from "@jest/globals";
import { RequestBody } from "./request-body.ts";

/** A body and the credit that it has given. */
function body(): { readonly body: RequestBody; readonly granted: () => number } {
  let granted = 0;
  const made = new RequestBody((bytes) => {
    granted += bytes;
  });
  return { body: made, granted: () => granted };
}

const bytes = (text: string): Buffer => Buffer.from(text);

test("a body is read whole, in one piece or in many, as it is or as a copy of its own", async () => {
  for (const pieces of [[], ["hello"], ["he", "llo"]]) {
    for (const way of ["all", "copy"] as const) {
      const { body: one } = body();
      for (const piece of pieces) one.push(bytes(piece), false);
      one.push(null, true);
      const read = await one[way]();
      expect(Buffer.from(read).toString()).toBe(pieces.join(""));
      if (way === "copy") expect(read.buffer.byteLength).toBe(read.byteLength);
    }
  }
});

test("what is read gives the sender credit, and what is not read does not", async () => {
  const { body: one, granted } = body();
  one.push(bytes("12345"), false);
  expect(granted()).toBe(0);
  const reader = one.stream().getReader();
  await Promise.resolve();
  expect(granted()).toBe(0);
  expect((await reader.read()).value).toEqual(new Uint8Array(bytes("12345")));
  expect(granted()).toBe(5);
  const next = reader.read();
  one.push(bytes("678"), true);
  expect((await next).value).toEqual(new Uint8Array(bytes("678")));
  expect((await reader.read()).done).toBe(true);
});

test("a piece that a handler changes or hands on is its own", async () => {
  const shared = Buffer.from("my bytes, other bytes");
  const { body: one } = body();
  one.push(shared.subarray(0, 8), true);
  const { value } = await one.stream().getReader().read();
  expect(structuredClone(value?.buffer, { transfer: value === undefined ? [] : [value.buffer] })?.byteLength).toBe(8);
  expect(shared.toString()).toBe("my bytes, other bytes");
});

test("a body is read once", async () => {
  const { body: one } = body();
  one.push(bytes("x"), true);
  await one.all();
  await expect(one.all()).rejects.toThrow(TypeError);
  const { body: other } = body();
  other.push(bytes("x"), true);
  other.stream().getReader();
  await expect(other.copy()).rejects.toThrow(TypeError);
});

test("a body that breaks off gives what came, then its error; one that has ended does not break off any more", async () => {
  const { body: one } = body();
  one.push(bytes("half"), false);
  one.fail(new Error("gone"));
  const reader = one.stream().getReader();
  expect((await reader.read()).done).toBe(false);
  await expect(reader.read()).rejects.toThrow("gone");
  await expect(one.trailers()).rejects.toThrow("gone");

  const { body: whole } = body();
  whole.push(bytes("all"), true, ["x-sum", "1", "x-sum", "2"]);
  whole.fail(new Error("gone"));
  expect((await whole.all()).toString()).toBe("all");
  expect((await whole.trailers()).get("x-sum")).toBe("1, 2");
});

test("trailers are waited for, by as many as ask", async () => {
  const { body: one } = body();
  const asked = [one.trailers(), one.trailers()];
  one.push(bytes("x"), false);
  one.push(null, true, ["x-sum", "1"]);
  for (const trailers of await Promise.all(asked)) expect([...trailers]).toEqual([["x-sum", "1"]]);
});

test("a reader that cancels lets go of what came", async () => {
  const { body: one } = body();
  one.push(bytes("x"), false);
  await one.stream().cancel();
  expect(one.used).toBe(true);
  await expect(one.all()).rejects.toThrow(TypeError);
});

// What comes of a body while it is not read: in order, in few pieces, and no more of it than before.
import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import { joinUnread } from "./unread.ts";

/** A body as Node's parsers fill it, and what its reader gets. */
function body(): { readonly body: Readable; readonly got: string[] } {
  const made = new Readable({ read: () => undefined, highWaterMark: 100 });
  const got: string[] = [];
  joinUnread(made);
  made.on("data", (piece: Buffer) => got.push(piece.toString()));
  return { body: made, got };
}
const push = (to: Readable, text: string): boolean => to.push(Buffer.from(text));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("pieces that come while it is read are handed on one by one", async () => {
  const { body: one, got } = body();
  await turn();
  for (const text of ["a", "b", "c"]) push(one, text);
  expect(got).toEqual(["a", "b", "c"]);
});

test("pieces that come while it is not read are one piece afterwards, before those that come then, and before the end", async () => {
  const { body: one, got } = body();
  await turn();
  push(one, "first ");
  one.pause();
  for (const text of ["a", "b", "c"]) push(one, text);
  one.resume();
  await turn();
  expect(got).toEqual(["first ", "abc"]);
  push(one, "d");
  one.pause();
  for (const text of ["e", "f"]) push(one, text);
  one.push(null);
  let ended = false;
  one.on("end", () => {
    ended = true;
  });
  await turn();
  expect([got.at(-1), ended]).toEqual(["d", false]);
  one.resume();
  await turn();
  await turn();
  expect([got, ended]).toEqual([["first ", "abc", "d", "ef"], true]);
});

test("who fills it is told to stop at the same number of bytes", async () => {
  const { body: one } = body();
  await turn();
  one.pause();
  expect([push(one, "x".repeat(60)), push(one, "x".repeat(39)), push(one, "x")]).toEqual([true, true, false]);
});

test("a reader that stops again in the middle gets the rest later", async () => {
  const { body: one, got } = body();
  await turn();
  one.pause();
  push(one, "a".repeat(20_000));
  push(one, "b".repeat(20_000));
  push(one, "c");
  one.once("data", () => one.pause());
  one.resume();
  await turn();
  expect(got).toEqual(["a".repeat(20_000)]);
  push(one, "d");
  one.resume();
  await turn();
  expect(got.join("")).toBe(`${"a".repeat(20_000)}${"b".repeat(20_000)}cd`);
});

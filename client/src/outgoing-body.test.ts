// The body of a program's request: what is sent of what was given, and when the next piece of a stream is asked for.
import { expect, test } from "@jest/globals";
import { BodyPump, bodyOf, pieceOf, typeOfPiece } from "./outgoing-body.ts";

test.each([
  ["nothing", undefined, null, ""],
  ["a string", "é", "é", "text/plain; charset=utf-8"],
  ["bytes", new Uint8Array([104, 105]), "hi", "application/octet-stream"],
  ["a part of a buffer", new Uint16Array([0, 0x6968, 0]).subarray(1, 2), "hi", "application/octet-stream"],
  ["an ArrayBuffer", new Uint8Array([104, 105]).buffer, "hi", "application/octet-stream"],
  ["an object", { a: [1, null] }, '{"a":[1,null]}', "application/json"],
  ["null", null, "null", "application/json"],
])("%s goes as what it is", (_what, given, text, type) => {
  expect(bodyOf(given)).toEqual({ kind: "whole", bytes: text === null ? null : Buffer.from(text), type });
});

test.each([
  ["a function", () => 1],
  ["a symbol", Symbol("x")],
  ["a BigInt", 1n],
])("%s is refused: it has no JSON form", (_what, given) => {
  expect(() => bodyOf(given)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
});

test("pieces of a stream go as text, bytes, or a line of JSON each", () => {
  expect([pieceOf("a"), pieceOf(new Uint8Array([98])), pieceOf({ c: 1 })].map(String)).toEqual(["a", "b", '{"c":1}\n']);
  expect([typeOfPiece("a"), typeOfPiece(Buffer.from("b")), typeOfPiece({ c: 1 })]).toEqual([
    "text/plain; charset=utf-8",
    "application/octet-stream",
    "application/x-ndjson",
  ]);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A pump over "0", "1", … , as far as it is asked. */
function makePump({ count = 10, mostBytes = 1_000, throws = -1, leaves = "well" } = {}) {
  const seen = { asked: 0, given: [] as string[], ended: false, broken: null as unknown, returned: false };
  const pieces: AsyncIterator<unknown> = {
    next: async () => {
      if (seen.asked === throws) throw new Error("the source is dry");
      return seen.asked < count ? { done: false, value: String(seen.asked++) } : { done: true, value: undefined };
    },
    return: () => {
      seen.returned = true;
      if (leaves === "throwing") throw new Error("not now");
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  const pump = new BodyPump(pieces, mostBytes, {
    give: (piece, end) => {
      if (piece !== null) seen.given.push(piece.toString());
      if (end) seen.ended = true;
    },
    broken: (error) => {
      seen.broken = error;
    },
  });
  return { pump, seen, run: async () => pump.run(await pieces.next()) };
}

test("the next piece is asked for when the one before has been taken", async () => {
  const { pump, seen, run } = makePump({ count: 3 });
  const done = run();
  await turn();
  expect(seen).toMatchObject({ asked: 1, given: ["0"] });
  pump.writable();
  await turn();
  expect(seen).toMatchObject({ asked: 2, given: ["0", "1"], ended: false });
  pump.writable();
  await turn();
  pump.writable();
  await done;
  expect(seen).toMatchObject({ given: ["0", "1", "2"], ended: true, returned: false });
});

test("a source that nobody wants more of is told at once, and nothing more is given", async () => {
  const { pump, seen, run } = makePump();
  const done = run();
  await turn();
  pump.stop();
  await done;
  expect(seen).toMatchObject({ given: ["0"], ended: false, returned: true, broken: null });
});

test("a source that throws ends the request", async () => {
  const { pump, seen, run } = makePump({ throws: 1 });
  const done = run();
  await turn();
  pump.writable();
  await done;
  expect(seen.broken).toMatchObject({ message: "the source is dry" });
  expect(seen.ended).toBe(false);
});

test("a body beyond the endpoint's limit ends the request", async () => {
  const { pump, seen, run } = makePump({ mostBytes: 1 });
  const done = run();
  await turn();
  pump.writable();
  await done;
  expect(seen).toMatchObject({ given: ["0"], broken: { code: "body_too_large", details: { limit: "maxBodyBytes" } }, returned: true });
});

test("what a source throws when it is told that nothing more is wanted is of no interest to anybody", async () => {
  const { pump, seen, run } = makePump({ leaves: "throwing" });
  const done = run();
  await turn();
  pump.stop();
  await done;
  expect(seen).toMatchObject({ returned: true, broken: null });
});

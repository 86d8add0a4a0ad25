// What a handler returned, as an answer: the mapping of docs/handlers.md.
import { expect, test } from "@jest/globals";
import { HeaderMemo } from "@headgate/proto/wire";
import { answerOf, fieldsOfPiece, pieceOf } from "./result.ts";

/** Header fields out of their encoded form. */
function fieldsOf(headers: Uint8Array | null): readonly string[] | null {
  return headers === null ? null : new HeaderMemo().read(Buffer.from(headers), 0, headers.length);
}

/** Status, fields and body of a whole answer. */
function wholeOf(result: unknown): [number, readonly string[] | null, string | null] {
  const answer = answerOf(result);
  if (answer.kind !== "whole") throw new Error("is a stream");
  return [answer.status, fieldsOf(answer.headers), answer.body === null ? null : Buffer.from(answer.body).toString()];
}

const json = ["content-type", "application/json"];

test.each<[string, unknown, ReturnType<typeof wholeOf>]>([
  ["undefined", undefined, [200, [], null]],
  ["null", null, [200, [], null]],
  ["a string", "grüß", [200, ["content-type", "text/plain; charset=utf-8"], "grüß"]],
  ["an empty string", "", [200, ["content-type", "text/plain; charset=utf-8"], ""]],
  ["a number", 7, [200, json, "7"]],
  ["NaN", Number.NaN, [200, json, "null"]],
  ["a boolean", false, [200, json, "false"]],
  ["a list", [1, "a", null], [200, json, '[1,"a",null]']],
  ["an object", { a: { b: 1 } }, [200, json, '{"a":{"b":1}}']],
  ["an object without prototype", Object.assign(Object.create(null), { a: 1 }), [200, json, '{"a":1}']],
  ["an object with toJSON", new Date(0), [200, json, '"1970-01-01T00:00:00.000Z"']],
  ["a Map, which is an object without fields", new Map([[1, 2]]), [200, json, "{}"]],
  ["bytes", new Uint8Array([104, 105]), [200, ["content-type", "application/octet-stream"], "hi"]],
  ["a Buffer", Buffer.from("hi"), [200, ["content-type", "application/octet-stream"], "hi"]],
  ["an ArrayBuffer", new Uint8Array([104, 105]).buffer, [200, ["content-type", "application/octet-stream"], "hi"]],
  [
    "a view of a part",
    new DataView(new Uint8Array([0, 104, 105, 0]).buffer, 1, 2),
    [200, ["content-type", "application/octet-stream"], "hi"],
  ],
  ["a Response without body", new Response(null, { status: 204, headers: { "X-A": "1" } }), [204, ["x-a", "1"], null]],
])("%s is a whole answer", (_name, result, wanted) => {
  expect(wholeOf(result)).toEqual(wanted);
});

/** Status, fields and pieces of a streamed answer. */
async function streamOf(result: unknown): Promise<[number, readonly string[] | null, string]> {
  const answer = answerOf(result);
  if (answer.kind !== "stream") throw new Error("is whole");
  const pieces: Uint8Array[] = [];
  for (let next = await answer.pieces.next(); next.done !== true; next = await answer.pieces.next())
    pieces.push(Buffer.from(pieceOf(next.value)));
  return [answer.status, fieldsOf(answer.headers), Buffer.concat(pieces).toString()];
}

test("a Response keeps its status, its fields, cookies each on their own, and its body", async () => {
  const headers = new Headers({ "content-type": "text/css" });
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  const [status, fields, body] = await streamOf(new Response("body{}", { status: 418, headers }));
  expect([status, body]).toEqual([418, "body{}"]);
  expect(fields).toEqual(["content-type", "text/css", "set-cookie", "a=1", "set-cookie", "b=2"]);
});

test("a Blob is streamed with its type, or as plain bytes", async () => {
  expect(await streamOf(new Blob(["hi"], { type: "text/csv" }))).toEqual([200, ["content-type", "text/csv"], "hi"]);
  expect(await streamOf(new Blob(["hi"]))).toEqual([200, ["content-type", "application/octet-stream"], "hi"]);
});

test("generators, plain and async, and web streams are streamed piece by piece", async () => {
  function* plain(): Generator<string> {
    yield "a";
    yield "b";
  }
  async function* later(): AsyncGenerator<unknown> {
    yield { n: 1 };
    yield [2];
  }
  expect(await streamOf(plain())).toEqual([200, null, "ab"]);
  expect(await streamOf(later())).toEqual([200, null, '{"n":1}\n[2]\n']);
  expect(await streamOf(new Response("x").body)).toEqual([200, null, "x"]);
});

test("the first piece decides the type of a stream: text, bytes, or JSON lines", () => {
  const typeOf = (piece: unknown): string | undefined => fieldsOf(fieldsOfPiece(piece))?.[1];
  expect(typeOf("a")).toBe("text/plain; charset=utf-8");
  expect(typeOf(new Uint8Array(1))).toBe("application/octet-stream");
  expect(typeOf(new ArrayBuffer(1))).toBe("application/octet-stream");
  expect(typeOf({ a: 1 })).toBe("application/x-ndjson");
});

const cycle: Record<string, unknown> = {};
cycle.self = cycle;
const read = new Response("x");
void read.body?.getReader();

test.each<[string, unknown, string]>([
  ["a function", () => 1, "a function, which has no JSON form"],
  ["a symbol", Symbol("s"), "a symbol, which has no JSON form"],
  ["a bigint", 1n, "has no JSON form"],
  ["an object in a circle", cycle, "has no JSON form"],
  ["a Response that is being read", read, "whose body was read already"],
  ["an error Response", Response.error(), "status is not 200 to 599"],
])("%s cannot be sent, and the fault says why", (_name, result, why) => {
  expect(() => answerOf(result)).toThrow(
    expect.objectContaining({ code: "handler_result_invalid", message: expect.stringContaining(why) }),
  );
});

// What a handler returned, out of its answer.
import { expect, test } from "@jest/globals";
import { faultOfAnswer, fieldOf, itemKind, resultOf } from "./result-value.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

test.each([
  ["", "", undefined],
  ["text/plain; charset=utf-8", "", ""],
  ["text/plain; charset=utf-8", "\ufeffhé", "\ufeffhé"],
  ["text/html", "<p>", "<p>"],
  ["application/json", "null", null],
  ["application/json; charset=utf-8", '{"a":1}', { a: 1 }],
  ["application/vnd.api+json", "[1]", [1]],
  ["application/octet-stream", "x", bytes("x")],
  ["", "x", bytes("x")],
  ["image/png", "x", bytes("x")],
])("an answer of type %j with %j is %j", (type, body, value) => {
  expect(resultOf(type, bytes(body))).toEqual(value);
});

test("an answer that says it is JSON and is none is an error", () => {
  expect(() => resultOf("application/json", bytes("{"))).toThrow(SyntaxError);
});

test("the kind of a stream's items is what its content type says", () => {
  expect(["application/x-ndjson", "text/plain; charset=utf-8", "application/octet-stream", ""].map(itemKind)).toEqual([
    "json",
    "text",
    "bytes",
    "bytes",
  ]);
});

test("a problem is the fault that it names; any other error status is the handler's", () => {
  const problem = bytes('{"code":"queue_full","detail":"too many","limit":"maxQueuedRequests"}');
  expect(faultOfAnswer("e", 503, "application/problem+json", problem)).toMatchObject({
    code: "queue_full",
    message: "too many",
    details: { endpoint: "e", status: "503", limit: "maxQueuedRequests" },
  });
  for (const [type, body] of [
    ["application/problem+json", '{"code":"its own"}'],
    ["application/problem+json", "{"],
    ["text/plain", '{"code":"queue_full"}'],
  ] as const) {
    expect(faultOfAnswer("e", 404, type, bytes(body))).toMatchObject({ code: "handler_error", details: { endpoint: "e", status: "404" } });
  }
});

test("a field is found by its name in lower case", () => {
  expect([fieldOf(["a", "1", "b", "2"], "b"), fieldOf(["a", "b"], "b")]).toEqual(["2", ""]);
});

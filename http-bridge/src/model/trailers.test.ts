// Fields behind a body: what may stand there goes on, the rest is left out, and too many are refused.
import { expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import { trailerFields, trailersProblem } from "./trailers.ts";

test("what may stand behind a body goes on in lower case, repeated ones each", () => {
  expect(trailerFields(["X-Sum", "1", "x-sum", "2", "Grpc-Status", "0"])).toEqual(["x-sum", "1", "x-sum", "2", "grpc-status", "0"]);
});

test.each([
  "Content-Length",
  "Transfer-Encoding",
  "Host",
  "Content-Type",
  "Cookie",
  "Authorization",
  "X-Request-Id",
  "X-Headgate-Any",
  "x_request_id",
  "content_length",
  ":path",
  "",
])("%j is left out", (name) => {
  expect(trailerFields([name, "1", "x-kept", "2"])).toEqual(["x-kept", "2"]);
});

test("a value that begins another field is left out", () => {
  expect(trailerFields(["x-a", "1\r\nx-b: 2", "x-c", "3"])).toEqual(["x-c", "3"]);
});

test("as many as the head has room for, and no more", () => {
  const pairs = (count: number): string[] => Array.from({ length: count }, (_, index) => [`x-${index}`, "1"]).flat();
  expect(trailersProblem(pairs(40), pairs(LIMITS.headerFields - 40))).toBeNull();
  expect(trailersProblem(pairs(40), pairs(LIMITS.headerFields - 39))).toMatchObject({ details: { limit: "headerFields" } });
  for (const head of [[], ["x-head", "1".repeat(30_000)]]) {
    const rest = LIMITS.headerBytes - head.join("").length;
    expect(trailersProblem(head, ["x-a", "x".repeat(rest - 3)])).toBeNull();
    expect(trailersProblem(head, ["x-a", "x".repeat(rest - 2)])).toMatchObject({ details: { limit: "headerBytes" } });
  }
});

// HTTP/2's heads as HTTP/1.1 would have said them.
import { expect, test } from "@jest/globals";
import { http2Answer, http2Head } from "./http2-fields.ts";

const PSEUDO = [":method", "GET", ":scheme", "http", ":path", "/a?b=1"];

test("the pseudo-fields become method, target and Host", () => {
  expect(http2Head([...PSEUDO, ":authority", "example.com", "x-a", "1"])).toEqual({
    method: "GET",
    target: "/a?b=1",
    fields: ["host", "example.com", "x-a", "1"],
    count: 2,
    bytes: 6 + 4 + 11 + 4,
    problem: null,
  });
});

test("a Host without :authority counts, and both may say the same", () => {
  expect(http2Head([...PSEUDO, "host", "example.com"]).fields).toEqual(["host", "example.com"]);
  const both = http2Head([...PSEUDO, ":authority", "example.com", "host", "example.com"]);
  expect(both).toMatchObject({ fields: ["host", "example.com"], count: 1, problem: null });
});

test("a Host that differs from :authority is a problem", () => {
  expect(http2Head([...PSEUDO, ":authority", "a", "host", "b"]).problem).toBe("Host and :authority differ");
});

test("a second Host stays one, so that it is refused where fields are looked at", () => {
  const { fields } = http2Head([...PSEUDO, "host", "a", "host", "a"]);
  expect(fields.filter((_, index) => index % 2 === 0)).toEqual(["host", "host"]);
});

test("the crumbs of Cookie are one field again, and count as they were sent", () => {
  expect(http2Head([...PSEUDO, "cookie", "a=1", "x", "y", "cookie", "b=2"])).toMatchObject({
    fields: ["x", "y", "cookie", "a=1; b=2"],
    count: 3,
  });
});

test("no target, as CONNECT has none, is an empty one", () => {
  expect(http2Head([":method", "CONNECT", ":authority", "a"])).toMatchObject({ method: "CONNECT", target: "" });
});

test("an answer has its status first and the request's id behind its own fields", () => {
  expect(http2Answer(200, ["a", "1"], "id", null)).toEqual([":status", "200", "a", "1", "x-request-id", "id"]);
  expect(http2Answer(204, [], "id", ["vary", "origin"])).toEqual([":status", "204", "x-request-id", "id", "vary", "origin"]);
});

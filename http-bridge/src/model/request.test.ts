// Request targets and bodies: refused where a target could be read in two ways, never repaired.
import { expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import { RequestFields } from "./fields.ts";
import { WHOLE_BODY_BYTES, bodyPlan, bodyTooLarge, fieldsProblem, pathLength, requestIdOf, targetProblem } from "./request.ts";

const problemOf = (target: string): string | null => targetProblem(target, target.slice(0, pathLength(target)))?.code ?? null;

test.each([
  "/",
  "/a",
  "/a/b/",
  "/a.b",
  "/..a",
  "/a..",
  "/.well-known/x",
  "/a%20b",
  "/caf%C3%A9",
  "/a?b=%2F..%00",
  "/a?x=/../",
  "//a",
  "/a;p=1",
  "/%2",
])("%s is taken", (target) => {
  expect(problemOf(target)).toBeNull();
});

test.each([
  "",
  "a",
  "*",
  "http://host/a",
  "/a b",
  "/a\tb",
  "/a\n",
  "/ä",
  "/a\u0000",
  "/a\\b",
  "/a%2fb",
  "/a%2Fb",
  "/a%5cb",
  "/a%00",
  "/.",
  "/..",
  "/./a",
  "/a/../b",
  "/a/..",
  "/%2e%2e/a",
  "/.%2E/a",
  "/%2e",
  "/a/.?x",
])("%j is malformed", (target) => {
  expect(problemOf(target)).toBe("malformed_request");
});

test("a URL at the limit is taken, one byte more is too long", () => {
  expect(problemOf(`/${"a".repeat(LIMITS.urlBytes - 1)}`)).toBeNull();
  expect(targetProblem(`/${"a".repeat(LIMITS.urlBytes)}`, "/a")).toMatchObject({ code: "uri_too_long", details: { limit: "urlBytes" } });
});

test("a path ends where the query begins", () => {
  expect([pathLength("/a?b?c"), pathLength("/a"), pathLength("?")]).toEqual([2, 2, 0]);
});

test("too many fields are refused with the limit's name, bad ones with what is wrong, none without Host but those of HTTP/1.0", () => {
  const fields = new RequestFields();
  fields.read(["Host", "a"]);
  expect(fieldsProblem(fields, LIMITS.headerFields, true)).toBeNull();
  expect(fieldsProblem(fields, LIMITS.headerFields + 1, true)).toMatchObject({
    code: "headers_too_large",
    details: { limit: "headerFields" },
  });
  fields.read(["Host", "a", "Host", "b"]);
  expect(fieldsProblem(fields, 2, true)).toMatchObject({ code: "malformed_request", message: expect.stringContaining("Host") });
  fields.read([]);
  expect(fieldsProblem(fields, 0, true)).toMatchObject({ code: "malformed_request", message: "there is no Host field" });
  expect(fieldsProblem(fields, 0, false)).toBeNull();
});

test("a caller's request id is kept where it is a plain one", () => {
  for (const good of ["abc-123", "a.b:c+d=e/f@g~h_i", "x".repeat(128)]) expect(requestIdOf(good, "fresh")).toBe(good);
  for (const bad of ["", "x".repeat(129), "a b", "a\r\nb", "ä", '"a"', "<a>"]) expect(requestIdOf(bad, "fresh")).toBe("fresh");
});

test("small bodies are sent on whole, large and chunked ones as they come", () => {
  expect(bodyPlan(-1, false)).toBe("none");
  expect(bodyPlan(0, false)).toBe("none");
  expect(bodyPlan(1, false)).toBe("whole");
  expect(bodyPlan(WHOLE_BODY_BYTES, false)).toBe("whole");
  expect(bodyPlan(WHOLE_BODY_BYTES + 1, false)).toBe("stream");
  expect(bodyPlan(-1, true)).toBe("stream");
  expect(bodyTooLarge(10)).toMatchObject({ code: "body_too_large", details: { limit: "maxBodyBytes" } });
});

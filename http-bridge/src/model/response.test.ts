// Responses as they go out: no field can smuggle another, and faults are problem+json.
import { expect, test } from "@jest/globals";
import { FAULTS, fault, isFaultCode } from "@headgate/core";
import fc from "fast-check";
import { hasBody, headText, problem, responseFields } from "./response.ts";

test("a handler's fields go out as lines, hop-by-hop ones and those that the bridge writes left out", () => {
  const fields = responseFields([
    "content-type",
    "text/plain",
    "connection",
    "close",
    "content-length",
    "7",
    "x-request-id",
    "forged",
    "set-cookie",
    "a",
    "set-cookie",
    "b",
  ]);
  expect(fields).toEqual({
    list: ["content-type", "text/plain", "set-cookie", "a", "set-cookie", "b"],
    text: "content-type: text/plain\r\nset-cookie: a\r\nset-cookie: b\r\n",
    hasDate: false,
    contentLength: 7,
  });
});

test("fields that a handler's Connection names are of one connection too", () => {
  const fields = responseFields(["x-gone", "1", "connection", "close, X-Gone", "date", "then", "connection", "date", "x-kept", "2"]);
  expect(fields).toEqual({ list: ["x-kept", "2"], text: "x-kept: 2\r\n", hasDate: false, contentLength: -1 });
});

test.each([
  ["a line end in a value", ["a", "b\r\nset-cookie: x"]],
  ["a line feed at a value's end", ["a", "b\n"]],
  ["a NUL", ["a", "b\0"]],
  ["a character over 255", ["a", "€"]],
  ["a line end in a name", ["a\r\nb", "c"]],
  ["a colon in a name", ["a:b", "c"]],
  ["an empty name", ["", "c"]],
  ["a space in a name", ["a b", "c"]],
])("%s cannot be sent", (_name, headers) => {
  expect(responseFields(headers)).toBeNull();
});

test("whatever a handler names its fields, there is one line for each", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), { maxLength: 6 }), (pairs) => {
      const fields = responseFields(pairs.flat());
      if (fields === null) return;
      expect(fields.text.split("\n").length - 1).toBe(fields.list.length / 2);
    }),
  );
});

test("a whole response says its length, its id, one date, and that the connection stays", () => {
  const fields = responseFields(["a", "b"]);
  const dated = responseFields(["date", "then"]);
  if (fields === null || dated === null) throw new Error("refused");
  const head = headText("HTTP/1.1 200 OK\r\n", fields, 5, "r-1", "date: now\r\n", null);
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\na: b\r\ncontent-length: 5\r\nx-request-id: r-1\r\ndate: now\r\nconnection: keep-alive\r\n/);
  expect(head.endsWith("\r\n\r\n")).toBe(true);
  expect(headText("HTTP/1.1 200 OK\r\n", dated, 5, "r-1", "date: now\r\n", null).match(/date:/g)).toHaveLength(1);
});

test("HEAD, 204 and 304 have no body", () => {
  expect([hasBody("GET", 200), hasBody("HEAD", 200), hasBody("GET", 204), hasBody("POST", 304)]).toEqual([true, false, false, false]);
});

test("every fault is a problem with its status, code and sentence", () => {
  for (const [code, row] of Object.entries(FAULTS)) {
    if (!isFaultCode(code)) throw new Error(code);
    const made = problem(fault(code, `what to do about "${code}"`), "r-1");
    expect(made).toMatchObject({ status: row.http, headers: ["content-type", "application/problem+json"] });
    expect(JSON.parse(made.body)).toEqual({
      type: `urn:headgate:fault:${code}`,
      title: row.title,
      status: row.http,
      detail: `what to do about "${code}"`,
      code,
      requestId: "r-1",
    });
  }
});

test("a problem names the limit, when to come back in whole seconds, and what is allowed; other details stay here", () => {
  const full = problem(fault("queue_full", "full", { limit: "maxQueuedRequests", path: "/secret" }, 1_200), "r");
  expect(full.headers).toEqual(["content-type", "application/problem+json", "retry-after", "2"]);
  expect(JSON.parse(full.body)).toMatchObject({ limit: "maxQueuedRequests" });
  expect(full.body).not.toContain("secret");
  expect(problem(fault("method_not_allowed", "no"), "r", "GET, HEAD").headers).toContain("GET, HEAD");
});

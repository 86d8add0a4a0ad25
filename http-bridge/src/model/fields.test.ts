// Header sections: what goes on to the handler, what stays here, and what is refused because it could be read in two ways.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { RequestFields, namedBy, withoutNamed } from "./fields.ts";

function read(...raw: string[]): RequestFields {
  const fields = new RequestFields();
  fields.read(raw);
  return fields;
}

test("ordinary fields go on in lower case, in order, repeated ones each", () => {
  const fields = read("Accept", "a", "X-Many", "1", "x-many", "2", "Host", "h");
  expect(fields.forward).toEqual(["accept", "a", "x-many", "1", "x-many", "2", "host", "h"]);
  expect(fields.problem).toBeNull();
});

test("hop-by-hop fields and those that Connection names do not go on", () => {
  const hop = ["Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Proxy-Authorization", "Proxy-Connection", "Transfer-Encoding"];
  const fields = read(
    ...hop.flatMap((name) => [name, "v"]),
    "Connection",
    "close, X-Secret",
    "connection",
    " x-other ",
    "X-Secret",
    "s",
    "x-other",
    "o",
    "x-kept",
    "k",
  );
  expect(fields.forward).toEqual(["x-kept", "k"]);
});

test("Connection cannot take Host away", () => {
  expect(read("Host", "h", "Connection", "host, x-a", "X-A", "1").forward).toEqual(["host", "h"]);
});

test.each([
  ["", null],
  ["close", null],
  ["keep-alive", null],
  ["Close, X-A ,x-b", ["close", "x-a", "x-b"]],
])("Connection %j names %j", (value, names) => {
  const named = namedBy(value);
  expect(named === null ? null : [...named]).toEqual(names);
});

test("fields without those of some names, whatever their case", () => {
  expect(withoutNamed(["X-A", "1", "x-b", "2", "x-a", "3"], new Set(["x-a"]))).toEqual(["x-b", "2"]);
});

test("what the platform itself reads is taken out, and cannot be forged", () => {
  const fields = read("X-Headgate-Shard-Key", "k", "X-Headgate-Anything", "forged", "X-Request-Id", "r-1");
  expect(fields.forward).toEqual([]);
  expect(fields).toMatchObject({ shardKey: "k", requestId: "r-1" });
});

test("a name with an underscore is refused beside its twin with a dash, and goes on without it", () => {
  expect(read("X_User", "a", "X-User", "b").problem).toContain('"x_user" and "x-user"');
  expect(read("X-User", "b", "X_User", "a").problem).toContain("could be taken for one another");
  expect(read("Content_Length", "1", "Content-Length", "2").problem).not.toBeNull();
  expect(read("X_User", "a")).toMatchObject({ forward: ["x_user", "a"], problem: null });
});

test("a name with an underscore is looked for once, however many fields there are", () => {
  const many = Array.from({ length: 60_000 }, (_, index) => [`x_${index % 50_000}`, ""]).flat();
  const began = performance.now();
  expect(read(...many).problem).toBeNull();
  expect(read(...many, "X-7", "").problem).toContain('"x_7" and "x-7"');
  // Held against each other one by one they would take half a minute, in which the bridge does nothing else.
  expect(performance.now() - began).toBeLessThan(5_000);
});

test.each([
  [["Content-Length", "5", "Content-Length", "5"], "more than one Content-Length"],
  [["Content-Length", "5", "Content-Length", "6"], "more than one Content-Length"],
  [["Content-Length", "5", "Transfer-Encoding", "chunked"], "both Content-Length and Transfer-Encoding"],
  [["Transfer-Encoding", "chunked", "content-length", "0"], "both Content-Length and Transfer-Encoding"],
  [["Host", "a", "Host", "a"], "more than one Host"],
  ...["-1", "+5", "5,5", "0x5", "5 ", "", "1e3", "٥", "9".repeat(16)].map((value) => [["Content-Length", value], "not a number"] as const),
] as const)("%j is refused", (raw, problem) => {
  expect(read(...raw).problem).toContain(problem);
});

test.each(["", "x", "x:80", "127.0.0.1:65535", "[::1]:8000", "a_b.example", "sub~1"])("Host %j is one", (host) => {
  expect(read("Host", host)).toMatchObject({ problem: null, host });
});

test.each(["x:65536", "x:99999", "[::::]", "[1", "1.2.3.999", "x y", "x/", "a@x", ":80"])("Host %j is none", (host) => {
  expect(read("Host", host).problem).toContain("no host");
});

test("the length of a body is known where it is told", () => {
  expect(read("Content-Length", "0")).toMatchObject({ contentLength: 0, chunked: false });
  expect(read("Content-Length", "123456789012345")).toMatchObject({ contentLength: 123_456_789_012_345 });
  expect(read("Transfer-Encoding", "chunked")).toMatchObject({ contentLength: -1, chunked: true });
});

test("nothing of one request is left for the next", () => {
  const fields = new RequestFields();
  fields.read(["X-Request-Id", "r", "X-Headgate-Shard-Key", "k", "Content-Length", "x", "Host", "a", "Host", "b"]);
  const kept = fields.forward;
  fields.read([]);
  expect(fields).toMatchObject({ forward: [], requestId: "", shardKey: null, contentLength: -1, chunked: false, problem: null });
  expect(kept).toEqual(["host", "a", "host", "b"]);
});

test("names that are special to JavaScript, and very many names, are names like any other", () => {
  expect(read("__proto__", "1", "constructor", "2").forward).toEqual(["__proto__", "1", "constructor", "2"]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.stringMatching(/^x[a-z0-9]{0,8}$/), fc.string()), { maxLength: 50 }), (pairs) => {
      expect(read(...pairs.flat()).forward).toEqual(pairs.flat());
    }),
  );
});

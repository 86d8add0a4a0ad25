// Cookies out of requests, whatever callers write around them.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { cookieOf } from "./cookies.ts";

test.each([
  ["a=1", "a", "1"],
  ["b=2; a=1; c=3", "a", "1"],
  ["b=2;a=1", "a", "1"],
  ["b=2;  \ta=1 ", "a", "1"],
  ["a=1; a=2", "a", "1"],
  ["aa=1; a=2", "a", "2"],
  ["ba=1; a=2", "a", "2"],
  ["b=a=1; a=2", "a", "2"],
  ["a=x=y", "a", "x=y"],
  ["a=", "a", ""],
  ['a="q"', "a", '"q"'],
  ["A=1", "a", null],
  ["a", "a", null],
  ["a ; b", "a", null],
  ["b=1", "a", null],
  ["x a=1", "a", null],
  ["", "a", null],
  [";;;=;a=1", "a", "1"],
])("the Cookie field %p has %s as %p", (field, name, value) => {
  expect(cookieOf(["host", "h", "cookie", field], name)).toBe(value);
});

test("a Cookie field in pieces, as HTTP/2 sends it, is one", () => {
  expect(cookieOf(["cookie", "a=1", "x-a", "a=7", "cookie", "b=2"], "b")).toBe("2");
  expect(cookieOf(["set-cookie", "b=2", "cookie", "a=1"], "b")).toBeNull();
});

test("a cookie is found beside any others", () => {
  const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}$/);
  const value = fc.stringMatching(/^[!#-+\--:<-~]{0,10}$/);
  const pairs = fc.array(fc.tuple(token, value), { maxLength: 6 });
  fc.assert(
    fc.property(pairs, token, value, pairs, (before, name, wanted, after) => {
      const others = before.filter(([other]) => other !== name);
      const field = [...others, [name, wanted], ...after].map(([n, v]) => `${n}=${v}`).join("; ");
      expect(cookieOf(["cookie", field], name)).toBe(wanted);
    }),
  );
});

test("no field of a hostile caller takes longer than it is long", () => {
  const field = "a".repeat(30_000) + ";a ".repeat(10_000);
  const began = performance.now();
  expect(cookieOf(["cookie", field], "a")).toBeNull();
  expect(cookieOf(["cookie", " ".repeat(60_000) + "a=1"], "a")).toBe("1");
  // Generous: what grew with the square of the length would take minutes.
  expect(performance.now() - began).toBeLessThan(5_000);
});

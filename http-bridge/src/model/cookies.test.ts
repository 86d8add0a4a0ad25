// The cookie of sticky users.
import { expect, test } from "@jest/globals";
import { setCookie, withCookie } from "./cookies.ts";

test.each([
  [{ cookie: "ab", maxAgeS: null }, false, "ab=KEY; Path=/; HttpOnly; SameSite=Lax"],
  [{ cookie: "ab", maxAgeS: null }, true, "ab=KEY; Path=/; HttpOnly; SameSite=Lax; Secure"],
  [{ cookie: "ab", maxAgeS: 60 }, false, "ab=KEY; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"],
  [{ cookie: "__Host-ab", maxAgeS: 60 }, false, "__Host-ab=KEY; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60"],
])("%p, over TLS %p, is set as %s", (affinity, secure, value) => {
  expect(setCookie(affinity, "KEY", secure)).toBe(value);
});

test("a cookie comes to what an answer adds already", () => {
  expect(withCookie(null, "a=1")).toEqual({ list: ["set-cookie", "a=1"], text: "set-cookie: a=1\r\n", ownsCors: false });
  expect(withCookie({ list: ["vary", "Origin"], text: "vary: Origin\r\n", ownsCors: true }, "a=1")).toEqual({
    list: ["vary", "Origin", "set-cookie", "a=1"],
    text: "vary: Origin\r\nset-cookie: a=1\r\n",
    ownsCors: true,
  });
});

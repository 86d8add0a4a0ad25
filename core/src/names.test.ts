// Which names and routes there are, and that hostile ones are refused or plain names like any other.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LIMITS, parseBackendName, parseEndpointName, parseRoute, utf8Bytes } from "@headgate/core";

test.each(["a", "A1", "my-backend", "v1.2_3", "constructor", "toString", "0", "a".repeat(63)])("%s is a name", (name) => {
  expect(parseBackendName(name)).toEqual({ ok: true, value: name });
  expect(parseEndpointName(name)).toEqual({ ok: true, value: name });
});

test.each(["", "-a", "a-", ".", "..", "a/b", "../a", "a b", "ä", "a\n", "\0", "__proto__", "a".repeat(64), null, undefined, 7, {}, ["a"]])(
  "%j is no name, and the refusal says what a name is",
  (value) => {
    const parsed = parseBackendName(value);
    expect(parsed).toMatchObject({ ok: false, error: { code: "invalid_argument", details: { field: "name" } } });
    if (!parsed.ok) expect(parsed.error.message).toContain("1 to 63 letters");
  },
);

test("a refusal of a long name stays short", () => {
  const parsed = parseBackendName("\u202e".repeat(1_000_000));
  expect(parsed.ok ? "" : parsed.error.message.length).toBeLessThan(300);
});

test.each([
  ["/", "/"],
  ["/simple", "/simple"],
  ["/simple/", "/simple"],
  ["/a/:id/b/*", "/a/:id/b/*"],
  ["/*", "/*"],
  ["/a.b-c_d~e!$&'()+,;=@:f", "/a.b-c_d~e!$&'()+,;=@:f"],
  ["/-x", "/-x"],
])("%s is a route", (given, pattern) => {
  expect(parseRoute(given)).toMatchObject({ ok: true, value: { pattern } });
});

test.each([
  "",
  "simple",
  "//",
  "/a//b",
  "/a/./b",
  "/a/../b",
  "/a/*/b",
  "/a*",
  "/:",
  "/:1",
  "/:a-b",
  "/:a/:a",
  "/a%2Fb",
  "/a b",
  "/ä",
  "/a?b",
  "/a#b",
  "/-",
  "/-/healthz",
  "/a\0",
  `/${"a".repeat(LIMITS.routeBytes)}`,
  `/${Array.from({ length: LIMITS.routeParams + 1 }, (_, i) => `:p${i}`).join("/")}`,
  null,
  7,
])("%j is no route", (given) => {
  expect(parseRoute(given)).toMatchObject({ ok: false, error: { code: "invalid_argument", details: { field: "route" } } });
});

test("routes that match the same paths have the same shape, and only those", () => {
  const shape = (route: string): string => {
    const parsed = parseRoute(route);
    return parsed.ok ? parsed.value.shape : "";
  };
  expect(shape("/a/:x")).toBe(shape("/a/:y"));
  expect(shape("/a/")).toBe(shape("/a"));
  const apart = ["/", "/*", "/a", "/a/*", "/a/:x", "/a/x", "/:a", "/A", "/=a", "/a/:x/*"];
  expect(new Set(apart.map(shape)).size).toBe(apart.length);
});

test("any text is a route or refused", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.string().map((text) => `/${text}`),
      ),
      (text) => {
        const parsed = parseRoute(text);
        if (parsed.ok) expect(parseRoute(parsed.value.pattern)).toEqual(parsed);
      },
    ),
  );
});

test("text is measured in bytes of UTF-8", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => utf8Bytes(text) === Buffer.byteLength(text)));
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "é", "€", "\ud83c", "\udf89")), (units) => {
      const text = units.join("");
      expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
    }),
  );
});

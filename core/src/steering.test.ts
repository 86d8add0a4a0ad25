// Match rules, affinity, preview header and shard keys: their forms, and what is refused.
import { expect, test } from "@jest/globals";
import { LIMITS, backendsOf, parseAffinity, parseEndpointSpec, parseMatches, parsePreviewHeader, parseShardKey } from "@headgate/core";

test("rules keep their order and names of fields are put in lower case, those of cookies are not", () => {
  expect(
    parseMatches([
      { backend: "b", header: "X-Beta", value: "1" },
      { backend: "c", cookie: "Group", prefix: "beta" },
      { backend: "b", header: "x-debug", present: true },
      { backend: "b", header: "x-empty", value: "" },
    ]),
  ).toEqual({
    ok: true,
    value: [
      { backend: "b", header: "x-beta", value: "1" },
      { backend: "c", cookie: "Group", prefix: "beta" },
      { backend: "b", header: "x-debug", present: true },
      { backend: "b", header: "x-empty", value: "" },
    ],
  });
  for (const none of [null, undefined, []]) expect(parseMatches(none)).toEqual({ ok: true, value: [] });
});

const rule = { backend: "b", header: "x-beta", value: "1" };
test.each([
  ["no list", rule, "matches", "must be a list"],
  ["too many", Array.from({ length: LIMITS.matchesPerEndpoint + 1 }, () => rule), "matches", "at most 16"],
  ["no object", [rule, 7], "matches.1", "must be an object"],
  ["no backend", [{ header: "x", present: true }], "matches.0.backend", "needs the backend"],
  ["a hostile backend", [{ ...rule, backend: "__proto__" }], "matches.0.backend", "not a valid backend name"],
  ["neither header nor cookie", [{ backend: "b", value: "1" }], "matches.0", "either a header or a cookie"],
  ["both header and cookie", [{ ...rule, cookie: "c" }], "matches.0", "either a header or a cookie"],
  ["no test", [{ backend: "b", header: "x" }], "matches.0", "exactly one of value, prefix and present"],
  ["two tests", [{ ...rule, prefix: "1" }], "matches.0", "exactly one of value, prefix and present"],
  ["present: false", [{ backend: "b", header: "x", present: false }], "matches.0.present", "can only be true"],
  ["an empty prefix", [{ backend: "b", header: "x", prefix: "" }], "matches.0.prefix", "present: true matches"],
  ["a number to compare with", [{ ...rule, value: 1 }], "matches.0.value", "printable ASCII"],
  ["a line end to compare with", [{ ...rule, value: "a\r\nb" }], "matches.0.value", "printable ASCII"],
  ["too long a value", [{ ...rule, value: "x".repeat(LIMITS.matchValueBytes + 1) }], "matches.0.value", "at most 1024 bytes"],
  ["a field that never arrives", [{ ...rule, header: "Connection" }], "matches.0.header", "Headgate reads itself"],
  ["a field of Headgate's own", [{ ...rule, header: "X-Headgate-Shard-Key" }], "matches.0.header", "Headgate reads itself"],
  ["a name with a space", [{ ...rule, header: "x beta" }], "matches.0.header", "name of a header field"],
  ["too long a name", [{ ...rule, header: "x".repeat(LIMITS.fieldNameBytes + 1) }], "matches.0.header", "at most 64"],
  ["a cookie with a separator", [{ backend: "b", cookie: "a;b", present: true }], "matches.0.cookie", "name of a cookie"],
  ["an unknown field", [{ ...rule, regex: "1" }], "matches.0.regex", "its fields are backend, header"],
])("rules with %s are refused by their place", (_name, value, field, message) => {
  expect(parseMatches(value)).toMatchObject({ ok: false, error: { details: { field }, message: expect.stringContaining(message) } });
});

test("affinity names a cookie and may say how long it stays", () => {
  expect(parseAffinity({ cookie: "AB" })).toEqual({ ok: true, value: { cookie: "AB", maxAgeS: null } });
  expect(parseAffinity({ cookie: "ab", maxAgeS: LIMITS.cookieMaxAgeS })).toMatchObject({ ok: true });
  for (const none of [null, undefined]) expect(parseAffinity(none)).toEqual({ ok: true, value: null });
});

test.each([
  ["no object", "ab", "affinity"],
  ["no cookie", {}, "affinity.cookie"],
  ["a cookie that is no token", { cookie: "a=b" }, "affinity.cookie"],
  ["an age of nothing", { cookie: "ab", maxAgeS: 0 }, "affinity.maxAgeS"],
  ["an age that no browser keeps", { cookie: "ab", maxAgeS: LIMITS.cookieMaxAgeS + 1 }, "affinity.maxAgeS"],
  ["an unknown field", { cookie: "ab", path: "/" }, "affinity.path"],
])("affinity with %s is refused by its field", (_name, value, field) => {
  expect(parseAffinity(value)).toMatchObject({ ok: false, error: { details: { field } } });
});

test("a preview header is a name of one's own, or none", () => {
  expect(parsePreviewHeader("X-Preview")).toEqual({ ok: true, value: "x-preview" });
  for (const none of [null, undefined, ""]) expect(parsePreviewHeader(none)).toEqual({ ok: true, value: null });
  for (const bad of ["host", "Cookie", "connection", "x-headgate-backend", "a b", 7, {}]) {
    expect(parsePreviewHeader(bad)).toMatchObject({ ok: false, error: { details: { field: "previewHeader" } } });
  }
});

test("a shard key is text within its limit", () => {
  for (const good of ["u", "x".repeat(LIMITS.shardKeyBytes)]) expect(parseShardKey(good)).toEqual({ ok: true, value: good });
  for (const bad of ["", "x".repeat(LIMITS.shardKeyBytes + 1), "ä".repeat(LIMITS.shardKeyBytes / 2 + 1), 7, null]) {
    expect(parseShardKey(bad)).toMatchObject({ ok: false, error: { details: { field: "shardKey", limit: "shardKeyBytes" } } });
  }
});

test("an endpoint uses the backends of its split, its shadows and its rules", () => {
  const spec = parseEndpointSpec({
    name: "e",
    traffic: [{ backend: "a", weight: 1 }],
    shadows: [{ backend: "s", proportion: 0.5 }],
    matches: [{ backend: "m", header: "x", present: true }],
  });
  expect(spec.ok ? backendsOf(spec.value) : []).toEqual(["a", "s", "m"]);
});

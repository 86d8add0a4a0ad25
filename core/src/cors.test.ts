// Cross-origin policies: the form of origins, what cannot stand together, and the defaults.
import { expect, test } from "@jest/globals";
import { LIMITS, parseCors, parseOrigin } from "@headgate/core";

const APP = "https://app.example.com";

test("a policy with origins alone has the defaults", () => {
  expect(parseCors({ origins: [APP] })).toEqual({
    ok: true,
    value: { origins: [APP], methods: null, headers: [], exposeHeaders: [], credentials: false, maxAgeS: 600 },
  });
  for (const none of [null, undefined]) expect(parseCors(none)).toEqual({ ok: true, value: null });
});

test('"*" stands for all, alone or as the only entry', () => {
  expect(parseCors({ origins: "*", headers: ["*"], exposeHeaders: "*" })).toMatchObject({
    value: { origins: "*", headers: "*", exposeHeaders: "*" },
  });
  expect(parseCors({ origins: ["*", APP] })).toMatchObject({ error: { details: { field: "cors.origins" } } });
});

test.each([
  ["https://App.Example.com", "https://app.example.com"],
  ["https://app.example.com:443", "https://app.example.com"],
  ["http://localhost:80", "http://localhost"],
  ["http://localhost:5173", "http://localhost:5173"],
  ["https://127.0.0.1:8443", "https://127.0.0.1:8443"],
  ["http://[::1]:3000", "http://[::1]:3000"],
  ["capacitor://localhost", "capacitor://localhost"],
])("the origin %s is held against requests as %s", (given, written) => {
  expect(parseOrigin(given)).toEqual({ ok: true, value: written });
});

test.each([
  "null",
  "app.example.com",
  "https://",
  "https://app.example.com/",
  "https://app.example.com/path",
  "https://*.example.com",
  "https://user@app.example.com",
  "https://app.example.com:0",
  "https://app.example.com:65536",
  "https://app.example.com\r\nx: y",
  `https://${"a".repeat(LIMITS.corsOriginBytes)}`,
  7,
  null,
])("%p is no origin", (value) => {
  expect(parseOrigin(value)).toMatchObject({ ok: false, error: { code: "invalid_argument", details: { field: "cors.origins" } } });
});

test("names and methods stand once, names in lower case, methods in upper case", () => {
  expect(
    parseCors({ origins: [APP, `${APP}:443`], methods: ["get", "GET"], headers: ["X-A", "x-a"], exposeHeaders: ["ETag"] }),
  ).toMatchObject({ value: { origins: [APP], methods: ["GET"], headers: ["x-a"], exposeHeaders: ["etag"] } });
});

test.each([
  ["no object", "yes", "cors", "must be an object"],
  ["no origins", {}, "cors.origins", "must be a list"],
  ["an empty list of origins", { origins: [] }, "cors.origins", "at least one"],
  ["an unknown field", { origins: "*", origin: "x" }, "cors.origin", "its fields are origins, methods"],
  ["credentials for everyone", { origins: "*", credentials: true }, "cors.credentials", "list the origins"],
  ["every field with credentials", { origins: [APP], exposeHeaders: "*", credentials: true }, "cors.exposeHeaders", "list the fields"],
  ["credentials that are no flag", { origins: [APP], credentials: "yes" }, "cors.credentials", "true or false"],
  ["a field that is no name", { origins: "*", headers: ["a b"] }, "cors.headers", "name of a header field"],
  ["a method that is none", { origins: "*", methods: ["GE T"] }, "cors.methods", "not an HTTP method"],
  ["methods that are no list", { origins: "*", methods: "GET" }, "cors.methods", "must be a list"],
  ["too long an age", { origins: "*", maxAgeS: LIMITS.corsMaxAgeS + 1 }, "cors.maxAgeS", "from 0 to 86400"],
  [
    "too many origins",
    { origins: Array.from({ length: LIMITS.corsOrigins + 1 }, (_, i) => `https://h${i}`) },
    "cors.origins",
    "at most 100",
  ],
  [
    "too many fields",
    { origins: "*", headers: Array.from({ length: LIMITS.corsFieldNames + 1 }, (_, i) => `h${i}`) },
    "cors.headers",
    "most",
  ],
])("a policy with %s is refused by its field", (_name, value, field, message) => {
  expect(parseCors(value)).toMatchObject({ ok: false, error: { details: { field }, message: expect.stringContaining(message) } });
});

test("the most of everything is taken", () => {
  const origins = Array.from({ length: LIMITS.corsOrigins }, (_, i) => `https://h${i}`);
  const headers = Array.from({ length: LIMITS.corsFieldNames }, (_, i) => `h${i}`);
  expect(parseCors({ origins, headers, exposeHeaders: headers, credentials: true, maxAgeS: LIMITS.corsMaxAgeS }).ok).toBe(true);
});

// What answers and preflights of an endpoint say to browsers, origin by origin.
import { expect, test } from "@jest/globals";
import { type CorsInput, parseCors } from "@headgate/core";
import { type CompiledCors, compileCors, corsFields, preflightFields, withoutCors } from "./cors.ts";
import { responseFields } from "./response.ts";

const APP = "https://app.example.com";

function compiled(input: CorsInput): CompiledCors {
  const policy = parseCors(input);
  if (!policy.ok || policy.value === null) throw new Error("no policy");
  return compileCors(policy.value);
}

/** Fields as an object; a name that comes twice has its values joined, as a receiver would. */
function asObject(list: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < list.length; i += 2) {
    const [name = "", value = ""] = [list[i], list[i + 1]];
    fields[name] = name in fields ? `${fields[name]}, ${value}` : value;
  }
  return fields;
}

test("a listed origin is named back, with what the policy adds", () => {
  const cors = compiled({ origins: [APP, "http://localhost:5173"], credentials: true, exposeHeaders: ["ETag", "X-Request-Id"] });
  expect(asObject(corsFields(cors, APP).list)).toEqual({
    "access-control-allow-origin": APP,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "etag, x-request-id",
    vary: "Origin",
  });
  expect(corsFields(cors, "http://localhost:5173").list).toContain("http://localhost:5173");
});

test.each([null, "https://evil.example", "null", `${APP}.evil.example`, "https://app.example.com:8443", "HTTPS://APP.EXAMPLE.COM", ""])(
  "the origin %p, which is not listed, gets no CORS field, and a cache is told that answers differ",
  (origin) => {
    expect(corsFields(compiled({ origins: [APP], credentials: true }), origin).list).toEqual(["vary", "Origin"]);
  },
);

test('"*" lets every origin in and names none', () => {
  const cors = compiled({ origins: "*" });
  for (const origin of [APP, "https://other.example"]) {
    expect(asObject(corsFields(cors, origin).list)).toEqual({ "access-control-allow-origin": "*", vary: "Origin" });
  }
  expect(corsFields(cors, null).list).toEqual(["vary", "Origin"]);
});

test("the text of the fields says the same as their list", () => {
  const { list, text } = corsFields(compiled({ origins: [APP], exposeHeaders: "*" }), APP);
  expect(text).toBe(list.map((part, i) => (i % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join(""));
});

test("a preflight is told methods, fields and age", () => {
  const cors = compiled({ origins: [APP], methods: ["put", "delete"], headers: ["Content-Type", "X-A"], maxAgeS: 5 });
  expect(asObject(preflightFields(cors, APP, "GET, HEAD, OPTIONS", "x-a"))).toEqual({
    "access-control-allow-methods": "PUT, DELETE",
    "access-control-allow-headers": "content-type, x-a",
    "access-control-max-age": "5",
    vary: "Access-Control-Request-Method, Access-Control-Request-Headers",
  });
  expect(asObject(preflightFields(cors, "https://evil.example", "GET", "x-a"))).toEqual({ vary: expect.any(String) });
});

test("a policy without methods tells the endpoint's, and one without fields none", () => {
  const told = asObject(preflightFields(compiled({ origins: [APP] }), APP, "GET, HEAD, OPTIONS", "x-a"));
  expect(told["access-control-allow-methods"]).toBe("GET, HEAD, OPTIONS");
  expect(told).not.toHaveProperty("access-control-allow-headers");
});

test.each([
  ["authorization, x-a", "authorization, x-a"],
  ["authorization,x-a", "authorization,x-a"],
  [null, undefined],
  ["", undefined],
  ["x-a\r\nset-cookie: a=b", undefined],
  ["x a", undefined],
  ["x-a;", undefined],
  ["x".repeat(3_000), undefined],
])('with fields "*" the request for %p is told %p', (asked, told) => {
  const fields = asObject(preflightFields(compiled({ origins: "*", headers: "*" }), APP, "GET", asked));
  expect(fields["access-control-allow-headers"]).toBe(told);
});

test("a handler's own CORS fields give way, all others stay", () => {
  const own = responseFields([
    "content-type",
    "text/plain",
    "access-control-allow-origin",
    "*",
    "date",
    "d",
    "access-control-x",
    "1",
    "vary",
    "Accept",
  ]);
  const plain = responseFields(["content-type", "text/plain"]);
  if (own === null || plain === null) throw new Error("no fields");
  const { list, text, hasDate } = withoutCors(own);
  expect(list).toEqual(["content-type", "text/plain", "date", "d", "vary", "Accept"]);
  expect(text).toBe("content-type: text/plain\r\ndate: d\r\nvary: Accept\r\n");
  expect(hasDate).toBe(true);
  expect(withoutCors(plain)).toBe(plain);
});

// What makes an endpoint valid: its split of traffic, shadows, methods, deadline and body limit.
import { expect, test } from "@jest/globals";
import {
  LIMITS,
  parseEndpointSpec,
  parseHttpMethods,
  parseMaxBodyBytes,
  parseProportion,
  parseRequestTimeoutMs,
  parseTraffic,
} from "@headgate/core";
import fc from "fast-check";

const MINIMAL = { name: "e", traffic: [{ backend: "b", weight: 1 }] };
const messageOf = (parsed: ReturnType<typeof parseEndpointSpec> | ReturnType<typeof parseTraffic>): string =>
  parsed.ok ? "" : parsed.error.message;

test("an endpoint without anything else gets the defaults", () => {
  expect(parseEndpointSpec(MINIMAL)).toEqual({
    ok: true,
    value: {
      name: "e",
      route: null,
      methods: ["GET"],
      traffic: [{ backend: "b", weight: 1 }],
      shadows: [],
      requestTimeoutMs: LIMITS.requestTimeoutMs,
      maxBodyBytes: LIMITS.requestBodyBytes,
      cors: null,
      affinity: null,
      matches: [],
      previewHeader: null,
    },
  });
});

test("an empty route makes it headless, a trailing slash is dropped", () => {
  for (const route of ["", null, undefined]) expect(parseEndpointSpec({ ...MINIMAL, route })).toMatchObject({ value: { route: null } });
  expect(parseEndpointSpec({ ...MINIMAL, route: "/a/" })).toMatchObject({ value: { route: "/a" } });
});

test.each([
  ["nothing", [], "at least one backend"],
  ["a sum below 1", [{ backend: "a", weight: 0.5 }], "sum to 1, not 0.5"],
  [
    "a sum above 1",
    [
      { backend: "a", weight: 0.5 },
      { backend: "b", weight: 0.6 },
    ],
    "sum to 1, not 1.1",
  ],
  [
    "a negative weight",
    [
      { backend: "a", weight: 1.5 },
      { backend: "b", weight: -0.5 },
    ],
    'weight of "b" must be',
  ],
  ["a weight that is no number", [{ backend: "a", weight: "1" }], 'weight of "a" must be'],
  ["NaN", [{ backend: "a", weight: Number.NaN }], 'weight of "a" must be'],
  ["infinity", [{ backend: "a", weight: Number.POSITIVE_INFINITY }], 'weight of "a" must be'],
  [
    "a backend twice",
    [
      { backend: "a", weight: 0.5 },
      { backend: "a", weight: 0.5 },
    ],
    '"a" stands twice',
  ],
  ["a hostile name", [{ backend: "__proto__", weight: 1 }], "not a valid backend name"],
  ["too many", Array.from({ length: LIMITS.backendsPerEndpoint + 1 }, (_, i) => ({ backend: `b${i}`, weight: 0 })), "at most 100"],
])("traffic with %s is refused", (_name, shares, message) => {
  expect(messageOf(parseTraffic(shares))).toContain(message);
});

test("a sum within 1e-8 of 1 is taken, and the shares come sorted", () => {
  const thirds = ["c", "a", "b"].map((backend) => ({ backend, weight: 0.333_333_333 }));
  expect(parseTraffic(thirds)).toMatchObject({ ok: true, value: [{ backend: "a" }, { backend: "b" }, { backend: "c" }] });
  expect(parseTraffic([{ backend: "a", weight: 1 - 2e-8 }]).ok).toBe(false);
});

test("any whole percentages that add up to 100 are taken, whatever rounding does to their sum", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100), { minLength: 1, maxLength: 20 }), (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), 100];
      const shares = edges.slice(1).map((edge, i) => ({ backend: `b${i}`, weight: (edge - (edges[i] ?? 0)) / 100 }));
      expect(parseTraffic(shares).ok).toBe(true);
    }),
  );
});

test("shadows are sorted, those of proportion 0 are none, and bad ones are refused", () => {
  const withShadows = (...shadows: { backend: unknown; proportion: unknown }[]): ReturnType<typeof parseEndpointSpec> =>
    parseEndpointSpec({ ...MINIMAL, shadows });
  expect(withShadows({ backend: "z", proportion: 1 }, { backend: "y", proportion: 0 }, { backend: "x", proportion: 0.1 })).toMatchObject({
    ok: true,
    value: { shadows: [{ backend: "x" }, { backend: "z" }] },
  });
  expect(messageOf(withShadows({ backend: "x", proportion: 1.1 }))).toContain("from 0 to 1, not 1.1");
  expect(messageOf(withShadows({ backend: "x", proportion: 1 }, { backend: "x", proportion: 1 }))).toContain("twice");
  const many = Array.from({ length: LIMITS.shadowsPerEndpoint + 1 }, (_, i) => ({ backend: `b${i}`, proportion: 0.1 }));
  expect(messageOf(withShadows(...many))).toContain("at most 16 shadows");
});

test("a proportion is a number from 0 to 1", () => {
  for (const good of [0, 0.5, 1]) expect(parseProportion(good)).toEqual({ ok: true, value: good });
  for (const bad of [-0.1, 1.1, Number.NaN, "1", null, undefined]) expect(parseProportion(bad).ok).toBe(false);
});

test("methods are upper-cased and stand once; what is no method, or cannot be served, is refused", () => {
  expect(parseHttpMethods([])).toEqual({ ok: true, value: ["GET"] });
  expect(parseHttpMethods(["post", "POST", "Get"])).toEqual({ ok: true, value: ["POST", "GET"] });
  for (const bad of ["", "GET POST", "GE\nT", "ä", "CONNECT", "trace", 7, null, "X".repeat(33)])
    expect(parseHttpMethods([bad]).ok).toBe(false);
  expect(parseHttpMethods(Array.from({ length: LIMITS.httpMethodsPerEndpoint + 1 }, () => "GET")).ok).toBe(false);
});

test.each([
  ["requestTimeoutMs", parseRequestTimeoutMs, LIMITS.requestTimeoutMs, LIMITS.maxRequestTimeoutMs],
  ["maxBodyBytes", parseMaxBodyBytes, LIMITS.requestBodyBytes, LIMITS.maxRequestBodyBytes],
] as const)("%s has a default, a largest value, and is whole", (field, parse, usual, most) => {
  expect(parse(undefined)).toEqual({ ok: true, value: usual });
  expect(parse(0)).toEqual({ ok: true, value: usual });
  expect(parse(1)).toEqual({ ok: true, value: 1 });
  expect(parse(most)).toEqual({ ok: true, value: most });
  for (const bad of [most + 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5", null]) {
    expect(parse(bad)).toMatchObject({ ok: false, error: { details: { field } } });
  }
});

// What decides before the split: the preview header, then the first rule that fits.
import { expect, test } from "@jest/globals";
import { type EndpointSpec, parseEndpointSpec } from "@headgate/core";
import { compileSteering, steer } from "./steering.ts";

type Rules = Pick<Parameters<typeof parseEndpointSpec>[0], "matches" | "previewHeader">;

function spec(rules: Rules): EndpointSpec {
  const traffic = [
    { backend: "stable", weight: 1 },
    { backend: "next", weight: 0 },
  ];
  const parsed = parseEndpointSpec({ name: "e", traffic, ...rules });
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

const BACKENDS = new Map(["stable", "next", "beta", "debug"].map((name) => [name, name]));

/** Where a request with these fields goes: a backend, "split", or the code of a refusal. */
function way(rules: Rules, headers: readonly string[]): string {
  const steering = compileSteering(spec(rules), BACKENDS);
  if (steering === null) return "split";
  const { backend, refusal } = steer(steering, headers);
  return refusal?.code ?? backend ?? "split";
}

test("an endpoint without rules and preview header has nothing to hold requests against", () => {
  expect(compileSteering(spec({}), BACKENDS)).toBeNull();
});

const MATCHES = [
  { backend: "beta", header: "X-Beta", value: "1" },
  { backend: "debug", header: "x-beta", present: true },
  { backend: "beta", cookie: "group", prefix: "beta-" },
  { backend: "debug", cookie: "debug", present: true },
];

test.each([
  ["no fields", [], "split"],
  ["the value", ["x-beta", "1"], "beta"],
  ["another value, which a later rule takes", ["x-beta", "11"], "debug"],
  ["a value that differs in case", ["x-beta", "1 "], "debug"],
  ["the value in the second of two fields", ["x-beta", "0", "x-beta", "1"], "beta"],
  ["a cookie's prefix", ["cookie", "a=1; group=beta-7"], "beta"],
  ["a cookie's prefix alone", ["cookie", "group=beta-"], "beta"],
  ["less than the prefix", ["cookie", "group=beta"], "split"],
  ["an empty cookie that has only to be there", ["cookie", "debug="], "debug"],
  ["a cookie whose name ends so", ["cookie", "nodebug=1"], "split"],
  ["two rules that fit: the first decides", ["cookie", "debug=1; group=beta-1"], "beta"],
  ["a field of the cookie's name", ["debug", "1"], "split"],
])("a request with %s goes where the first rule that fits it says", (_name, headers, expected) => {
  expect(way({ matches: MATCHES }, headers)).toBe(expected);
});

const PREVIEW = { previewHeader: "x-preview", matches: MATCHES };

test.each([
  ["a backend of weight 0", ["x-preview", "next"], "next"],
  ["a backend of the split", ["x-preview", "stable"], "stable"],
  ["a backend that only a rule leads to", ["x-preview", "beta"], "preview_unknown"],
  ["no backend at all", ["x-preview", "nobody"], "preview_unknown"],
  ["nothing", ["x-preview", ""], "preview_unknown"],
  ["two backends", ["x-preview", "next", "x-preview", "stable"], "preview_unknown"],
  ["one backend twice", ["x-preview", "next", "x-preview", "next"], "preview_unknown"],
  ["a backend, while a rule fits too", ["x-beta", "1", "x-preview", "next"], "next"],
])("a preview header that names %s decides", (_name, headers, expected) => {
  expect(way(PREVIEW, headers)).toBe(expected);
  expect(way({ matches: MATCHES }, headers)).toBe(headers.includes("x-beta") ? "beta" : "split");
});

test("the preview header is not handed on, all other fields are, in their order", () => {
  const steering = compileSteering(spec(PREVIEW), BACKENDS);
  if (steering === null) throw new Error("no steering");
  expect(steer(steering, ["host", "h", "x-preview", "next", "cookie", "a=1"]).headers).toEqual(["host", "h", "cookie", "a=1"]);
  const untouched = ["host", "h"];
  expect(steer(steering, untouched).headers).toBe(untouched);
});

test("a refused preview tells nothing of what was sent and what there is", () => {
  const steering = compileSteering(spec(PREVIEW), BACKENDS);
  if (steering === null) throw new Error("no steering");
  const message = steer(steering, ["x-preview", "secret-name"]).refusal?.message ?? "";
  expect(message).toContain("x-preview");
  for (const word of ["secret-name", "stable", "next"]) expect(message).not.toContain(word);
});

import { expect, test } from "@jest/globals";
import { parseArgs, parseSettings, parseWeights } from "./settings.ts";

test("settings are JSON where they can be, variables and lists where their key says so", () => {
  expect(
    parseSettings(["numReplicas=2", "maxBatchSize=null", 'userConfig={"a":1}', "env.PORT=80", "env.URL=a=b", "methods=handle,stats"]),
  ).toEqual({
    ok: true,
    value: { numReplicas: 2, maxBatchSize: null, userConfig: { a: 1 }, env: { PORT: "80", URL: "a=b" }, methods: ["handle", "stats"] },
  });
});

test.each(["replicas=2", "__proto__=1", "constructor=1", "toString=1"])("an unknown key is refused by name: %s", (text) => {
  const parsed = parseSettings([text]);
  expect(parsed).toMatchObject({ ok: false, error: { code: "unknown_field" } });
  if (!parsed.ok) expect(parsed.error.message).toContain(`"${text.split("=")[0]}"`);
});

test.each(["numReplicas", "=3", "numReplicas=many", "numReplicas=0", "env.1=x"])("a word that is no setting is refused: %s", (text) => {
  expect(parseSettings([text])).toMatchObject({ ok: false, error: { code: "invalid_argument" } });
});

test("weights are numbers by backend", () => {
  expect(parseWeights(["a=0.9", "b=.1"])).toEqual({ ok: true, value: { a: 0.9, b: 0.1 } });
  for (const texts of [["a"], ["a=x"], ["a=0x1"], ["a="], ["a=1", "a=0"]]) expect(parseWeights(texts).ok).toBe(false);
});

test("a constructor argument is JSON, or the text itself", () => {
  expect(parseArgs(["1", "[true]", "hello", '"1"'])).toEqual([1, [true], "hello", "1"]);
});

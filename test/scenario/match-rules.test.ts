// Match rules: requests that a header field or a cookie sends to a backend of their own, before the split is asked.

import { afterAll, expect, test } from "@jest/globals";
import { startInstance } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
for (const [name, handler] of Object.entries({ stable: (): string => "stable", next: (): string => "next", debug: (): string => "debug" }))
  await serve.createBackend(name, handler);
await serve.createEndpoint("ruled", {
  backend: "stable",
  route: "/ruled",
  affinity: { cookie: "ab" },
  matches: [
    { backend: "next", header: "X-Beta", value: "1" },
    { backend: "next", cookie: "group", prefix: "beta-" },
    { backend: "debug", header: "x-beta", present: true },
  ],
});

const by = (headers: Readonly<Record<string, string>>) => instance.text("/ruled", { headers });

test("the first rule that a request fits decides, whatever the split says", async () => {
  expect(await by({})).toBe("stable");
  expect(await by({ "x-beta": "1" })).toBe("next");
  expect(await by({ "X-BETA": "1" })).toBe("next");
  expect(await by({ "x-beta": "2" })).toBe("debug");
  expect(await by({ cookie: "theme=dark; group=beta-7" })).toBe("next");
  expect(await by({ cookie: "group=alpha-7" })).toBe("stable");
  expect(await by({ cookie: "group=beta-7", "x-beta": "2" })).toBe("next");
});

test("a rule comes before a shard key, and leaves it where it was for requests that fit none", async () => {
  await serve.setTraffic("ruled", { stable: 0.5, next: 0.5 });
  for (const key of ["a", "b", "c", "d", "e", "f"]) {
    const headers = { "x-headgate-shard-key": key };
    expect(await by({ ...headers, "x-beta": "2" })).toBe("debug");
    expect(await by(headers)).toBe(await serve.whichBackend("ruled", key));
  }
  await serve.setTraffic("ruled", { stable: 1 });
});

test("a handle's fields are held against the same rules", async () => {
  expect(await (await serve.handle("ruled").send(undefined, { headers: { "X-Beta": "1" } })).text()).toBe("next");
  expect(await (await serve.handle("ruled").send()).text()).toBe("stable");
});

test("a backend that a rule leads to is in use: it cannot be deleted until the rule is gone", async () => {
  await expect(serve.deleteBackend("debug")).rejects.toMatchObject({
    code: "backend_in_use",
    message: expect.stringMatching(/"ruled".*match rules/),
    details: { endpoints: "ruled" },
  });
  await serve.updateEndpoint("ruled", { matches: [{ backend: "next", header: "x-beta", value: "1" }] });
  expect(await by({ "x-beta": "2" })).toBe("stable");
  expect(await serve.deleteBackend("debug")).toBe(true);
});

test("an empty list of rules ends them, and a change of something else leaves them", async () => {
  expect((await serve.updateEndpoint("ruled", { methods: ["GET", "POST"] })).matches).toHaveLength(1);
  expect(await by({ "x-beta": "1" })).toBe("next");
  expect((await serve.updateEndpoint("ruled", { matches: [] })).matches).toEqual([]);
  expect(await by({ "x-beta": "1" })).toBe("stable");
});

test("a rule to a backend that does not exist is refused, and nothing is changed", async () => {
  await expect(serve.updateEndpoint("ruled", { matches: [{ backend: "nobody", header: "x", present: true }] })).rejects.toMatchObject({
    code: "backend_not_found",
    message: expect.stringContaining("nobody"),
  });
  expect((await serve.getEndpoint("ruled")).matches).toEqual([]);
});

test.each<[string, object, string]>([
  ["no place to look", { backend: "next", value: "1" }, "either a header or a cookie"],
  ["a misspelt test", { backend: "next", header: "x", equals: "1" }, "has no field"],
  ["two tests", { backend: "next", header: "x", value: "1", prefix: "1" }, "exactly one of"],
  ["a field that is Headgate's own", { backend: "next", header: "x-headgate-shard-key", present: true }, "of your own"],
])("a rule with %s is refused with a sentence that helps", async (_what, rule, message) => {
  const matches = [rule] as never;
  await expect(serve.updateEndpoint("ruled", { matches })).rejects.toMatchObject({ message: expect.stringContaining(message) });
});

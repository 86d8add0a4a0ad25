import { expect, test } from "@jest/globals";
import { parseFile, unknownBackends } from "./file.ts";

const GOOD = `
backends:
  hello:
    handler: ./h.ts#hello
    config: { numReplicas: 2 }
  worker:
    handler: { command: [python3, worker.py] }
endpoints:
  hello: { route: /hello, methods: [get, post], traffic: { hello: 0.9, worker: 0.1 }, shadows: { worker: 0.5 } }
  inner: { backend: worker }
`;

function problems(source: string): readonly string[] {
  const parsed = parseFile(source, "f.yaml");
  return parsed.ok ? [] : parsed.error.message.split("\n");
}

test("a file is read with every default filled in", () => {
  const parsed = parseFile(GOOD, "f.yaml");
  expect(parsed).toMatchObject({
    ok: true,
    value: {
      backends: [
        { name: "hello", config: { numReplicas: 2, maxConcurrentQueries: 100 } },
        { name: "worker", handler: { kind: "command" } },
      ],
      endpoints: [
        { name: "hello", route: "/hello", methods: ["GET", "POST"], shadows: [{ backend: "worker", proportion: 0.5 }] },
        { name: "inner", route: null, methods: ["GET"], traffic: [{ backend: "worker", weight: 1 }] },
      ],
    },
  });
});

test("an empty file asks for nothing", () => {
  expect(parseFile("", "f.yaml")).toEqual({ ok: true, value: { backends: [], endpoints: [] } });
});

test("all mistakes are told at once, each with its place and line", () => {
  const found = problems(`backends:
  hello:
    handler: 3
    config:
      numReplicas: 0
      replicas: 2
  -bad: { handler: ./h.ts }
endpoints:
  a: { route: hello, backend: hello }
  b: { route: /b, traffic: { hello: 0.5 } }
  c: { route: /b, backend: hello }
  d: { route: /b, backend: hello }
`);
  expect(found.map((line) => line.split(": ").slice(0, 2).join(": "))).toEqual([
    "f.yaml:3: backends.hello.handler",
    "f.yaml:5: backends.hello.config.numReplicas",
    "f.yaml:6: backends.hello.config.replicas",
    "f.yaml:7: backends.-bad",
    "f.yaml:9: endpoints.a.route",
    "f.yaml:10: endpoints.b.traffic",
    "f.yaml:12: endpoints.d.route",
  ]);
});

test("a field that does not exist is refused by name, wherever it stands", () => {
  const found = problems("backend:\n  x: 1\nendpoints:\n  a: { backend: b, rout: /a }\n");
  expect(found).toEqual(["f.yaml:1: backend: there is no such field", "f.yaml:4: endpoints.a.rout: there is no such field"]);
});

test("one mistake does not hide another of the same entry", () => {
  const found = problems(
    "other: 1\nbackends:\n  -a: { handler: 5, arg: [] }\nendpoints:\n  e:\n    rout: /e\n    route: e\n    traffic: { b: 0.5 }\n    methods: [1]\n  -f: { backend: b, shadows: { b: 2 }, maxBodyBytes: -1 }\n",
  );
  expect(found.map((line) => line.split(": ").slice(0, 2).join(": "))).toEqual([
    "f.yaml:1: other",
    "f.yaml:3: backends.-a.arg",
    "f.yaml:3: backends.-a.handler",
    "f.yaml:3: backends.-a",
    "f.yaml:6: endpoints.e.rout",
    "f.yaml:9: endpoints.e.methods.0",
    "f.yaml:10: endpoints.-f.maxBodyBytes",
    "f.yaml:10: endpoints.-f.shadows",
    "f.yaml:10: endpoints.-f",
  ]);
});

test("backend and traffic exclude each other, and one is needed", () => {
  expect(problems("endpoints:\n  a: { route: /a }\n")).toEqual(["f.yaml:2: endpoints.a: needs either backend or traffic"]);
  expect(problems("endpoints:\n  a: { backend: b, traffic: { b: 1 } }\n")).toHaveLength(1);
});

test("YAML that cannot be read is told with its line", () => {
  expect(problems("backends:\n  a: [\n")[0]).toMatch(/^f\.yaml:\d+: /);
  expect(problems("backends: {}\nbackends: {}\n")[0]).toMatch(/^f\.yaml:2: /);
});

test("a backend that is nowhere is told", () => {
  const parsed = parseFile("endpoints:\n  a: { backend: b }\n  c: { backend: d }\n", "f.yaml");
  if (!parsed.ok) throw new Error(parsed.error.message);
  expect(unknownBackends(parsed.value, [{ name: "d" }])).toHaveLength(1);
});

const RULES = `
backends:
  a: { handler: ./h.ts#a }
  b: { handler: ./h.ts#b }
endpoints:
  ab:
    traffic: { a: 1, b: 0 }
    route: /ab
    cors: { origins: ["https://app.example.com"], credentials: true }
    affinity: { cookie: ab }
    matches:
      - { backend: b, header: X-Beta, value: "1" }
      - { backend: b, cookie: group, prefix: beta }
    previewHeader: X-Preview
`;

test("rules beside the split are read with their defaults", () => {
  expect(parseFile(RULES, "f.yaml")).toMatchObject({
    ok: true,
    value: {
      endpoints: [
        {
          cors: { origins: ["https://app.example.com"], methods: null, credentials: true, maxAgeS: 600 },
          affinity: { cookie: "ab", maxAgeS: null },
          matches: [
            { backend: "b", header: "x-beta", value: "1" },
            { backend: "b", cookie: "group", prefix: "beta" },
          ],
          previewHeader: "x-preview",
        },
      ],
    },
  });
});

test("mistakes in them are told by their place and line", () => {
  const found = problems(
    RULES.replace("credentials: true", "credential: true")
      .replace('value: "1"', "value: 1")
      .replace("cookie: ab", "cookie: a b")
      .replace("X-Preview", "Host"),
  );
  expect(found.map((line) => line.split(": ").slice(0, 2).join(": "))).toEqual([
    "f.yaml:9: endpoints.ab.cors.credential",
    "f.yaml:12: endpoints.ab.matches.0.value",
  ]);
  expect(problems(RULES.replace("prefix: beta", 'prefix: ""').replace("cookie: ab", "cookie: a b").replace("X-Preview", "Host"))).toEqual([
    expect.stringContaining("f.yaml:10: endpoints.ab.affinity.cookie: affinity.cookie must be the name of a cookie"),
    expect.stringContaining("f.yaml:13: endpoints.ab.matches.1.prefix: matches.1.prefix is empty"),
    expect.stringContaining("f.yaml:14: endpoints.ab.previewHeader: previewHeader cannot be"),
  ]);
});

test("a rule to a backend that nobody knows is told by its name", () => {
  const parsed = parseFile(RULES.replace("backend: b, header", "backend: nobody, header"), "f.yaml");
  expect(parsed.ok ? unknownBackends(parsed.value, []) : []).toEqual([expect.stringContaining('there is no backend "nobody"')]);
});

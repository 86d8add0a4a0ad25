import { expect, test } from "@jest/globals";
import type { Backend, Endpoint } from "@headgate/client";
import { parseFile } from "./file.ts";
import { type Present, type Wanted, planSteps, showStep } from "./plan.ts";

function wanted(source: string): Wanted {
  const parsed = parseFile(source, "f.yaml");
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

/** An instance in which all of a file is so. */
function present(source: string): Present {
  const { backends, endpoints } = wanted(source);
  return {
    backends: backends.map(
      ({ name, handler, args, config }): Backend => ({
        name,
        handler,
        args,
        ...config,
        state: "ready",
        acceptsBatches: false,
        replicas: [],
        restarts: 0,
        lastError: null,
        generation: 1,
        revision: 1,
      }),
    ),
    endpoints: endpoints.map(
      ({ traffic, shadows, ...rest }): Endpoint => ({
        ...rest,
        traffic: Object.fromEntries(traffic.map(({ backend, weight }) => [backend, weight])),
        shadows: Object.fromEntries(shadows.map(({ backend, proportion }) => [backend, proportion])),
        revision: 1,
      }),
    ),
  };
}

const FILE = `
backends:
  a: { handler: ./h.ts#a, config: { env: { B: "2", A: "1" } } }
  b: { handler: ./h.ts#b, args: [{ y: 1, x: 2 }] }
endpoints:
  e: { route: /e, methods: [POST, GET], traffic: { a: 0.5, b: 0.5 }, shadows: { b: 0.1 } }
`;
const EMPTY: Present = { backends: [], endpoints: [] };
const kinds = (source: string, there: Present, prune = false) =>
  planSteps(wanted(source), there, prune).map(({ kind, name }) => `${kind} ${name}`);

test("in an empty instance backends come before the endpoints that use them", () => {
  expect(kinds(FILE, EMPTY)).toEqual(["createBackend a", "createBackend b", "createEndpoint e"]);
});

test("a second run has nothing to do, whatever the order in which fields were written", () => {
  const shuffled = FILE.replace('{ B: "2", A: "1" }', '{ A: "1", B: "2" }')
    .replace("[POST, GET]", "[GET, POST]")
    .replace("y: 1, x: 2", "x: 2, y: 1");
  expect(kinds(shuffled, present(FILE))).toEqual([]);
});

test("only what differs is changed", () => {
  const changed = FILE.replace("config: {", "config: { numReplicas: 3,")
    .replace("a: 0.5, b: 0.5", "a: 0.9, b: 0.1")
    .replace("b: 0.1 } }", "a: 0.2 } }");
  const steps = planSteps(wanted(changed), present(FILE));
  expect(steps).toMatchObject([
    { kind: "updateBackend", name: "a", change: { config: { numReplicas: 3 } }, words: ["numReplicas: 1 → 3"] },
    { kind: "setTraffic", traffic: { a: 0.9, b: 0.1 } },
    { kind: "setShadow", backend: "a", proportion: 0.2 },
    { kind: "setShadow", backend: "b", proportion: 0 },
  ]);
  expect(Object.keys(steps[0] ?? {})).toEqual(["kind", "name", "change", "words"]);
});

test("rules beside the split are compared and changed each as a whole, and go where the file has them no more", () => {
  const rules =
    'cors: { origins: "*" }, affinity: { cookie: ab }, matches: [{ backend: b, header: x-beta, present: true }], previewHeader: x-p, ';
  const withRules = FILE.replace("e: { ", `e: { ${rules}`);
  expect(kinds(withRules, present(withRules))).toEqual([]);
  expect(planSteps(wanted(withRules), present(FILE))).toMatchObject([
    {
      kind: "updateEndpoint",
      change: {
        cors: { origins: "*" },
        affinity: { cookie: "ab" },
        matches: [{ backend: "b", header: "x-beta", present: true }],
        previewHeader: "x-p",
      },
    },
  ]);
  expect(planSteps(wanted(FILE), present(withRules))).toMatchObject([
    {
      change: { cors: null, affinity: null, matches: [], previewHeader: null },
      words: [expect.stringMatching(/^cors: .* → null$/), expect.any(String), expect.any(String), 'previewHeader: "x-p" → null'],
    },
  ]);
});

test("what the file does not name stays, unless all else is to go", () => {
  const only = "backends:\n  c: { handler: ./h.ts#c }\n";
  expect(kinds(only, present(FILE))).toEqual(["createBackend c"]);
  expect(kinds(only, present(FILE), true)).toEqual(["deleteEndpoint e", "createBackend c", "deleteBackend a", "deleteBackend b"]);
});

test("a step reads as a sign, a name and what changes", () => {
  const [step] = planSteps(wanted(FILE.replace("./h.ts#a", "./h.ts#z")), present(FILE));
  expect(step === undefined ? "" : showStep(step)).toBe("~ backend a\n    handler: ./h.ts#a → ./h.ts#z");
});

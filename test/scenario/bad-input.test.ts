// What operators get wrong: each mistake has one clear line and a typed detail, nothing half-made stays, the instance goes on.
// What callers of HTTP get wrong stands in http-errors.test.ts; what a machine can refuse at a start, in bad-start.test.ts.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type TestInstance, startInstance } from "../support/instance.ts";

let instance: TestInstance;
let outside: TestInstance["root"];
beforeAll(async () => {
  instance = await startInstance({
    env: { HEADGATE_CONSTRUCTOR_TIMEOUT_MS: "1500" },
    files: {
      "handlers.ts": "export const fine = (): string => 'fine';\nexport const notCallable = 42;\n",
      "throws.ts": "export class Throws {\n  constructor() {\n    throw new TypeError('the model is missing');\n  }\n  handle() {}\n}\n",
      "hangs.ts": "export class Hangs {\n  constructor() {\n    for (;;);\n  }\n  handle() {}\n}\n",
      "hangs-while-loading.ts": "await new Promise((done) => setTimeout(done, 3_600_000));\nexport default () => 'never';\n",
      "exits.ts": "export class Exits {\n  constructor() {\n    process.exit(7);\n  }\n  handle() {}\n}\n",
      "syntax.ts": "export default () => {\n  return (;\n};\n",
      "imports-nothing.ts": "import { gone } from './gone.ts';\nexport default () => gone;\n",
    },
  });
  outside = `${instance.root}/../handlers.ts`;
  await instance.serve.createBackend("good", () => "good");
  await instance.serve.createEndpoint("good", { backend: "good", route: "/good" });
});
afterAll(async () => {
  await instance?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  // Whatever was refused: nothing half-made stays behind and the instance goes on.
  expect(Object.keys(await instance.serve.listBackends())).toEqual(["good"]);
  expect(Object.keys(await instance.serve.listEndpoints())).toEqual(["good"]);
  const { replicas } = await instance.serve.status();
  expect(replicas.map(({ backend }) => backend)).toEqual(["good"]);
  expect(await instance.text("/good")).toBe("good");
});

/** The error of a call that must be refused; its message is one line that a person can read. */
async function refusal(
  call: Promise<unknown>,
): Promise<{ readonly code: string; readonly message: string; readonly details: Record<string, string> }> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error("nothing was refused");
  // Every refusal of the package is a HeadgateError; anything else fails at the expectations that follow.
  const { code, message, details } = error as { code: string; message: string; details: Record<string, string> };
  expect(message).toMatch(/^\S[^\n]{10,}$/);
  expect(message).not.toMatch(/\bat .*:\d+:\d+|\[object/);
  return { code, message, details };
}

/** What a caller in JavaScript can pass, whatever the types say. */
const untyped = (value: unknown): never => value as never;

describe("an unknown field is refused by its name", () => {
  test("in a backend's config", async () => {
    const call = instance.serve.createBackend({ name: "b", handler: () => "x", config: untyped({ numReplcas: 2 }) });
    expect(await refusal(call)).toMatchObject({ code: "unknown_field", details: { field: "numReplcas" } });
  });
  test("in a change of a backend's config", async () => {
    const call = instance.serve.updateBackend("good", { config: untyped({ replicas: 2 }) });
    expect(await refusal(call)).toMatchObject({ code: "unknown_field", details: { field: "replicas" } });
  });
  test("in a backend", async () => {
    expect(await refusal(instance.serve.createBackend(untyped({ name: "b", handler: () => "x", cfg: {} })))).toMatchObject({
      code: "unknown_field",
      details: { field: "cfg" },
    });
  });
  test("in a change of a backend", async () => {
    expect(await refusal(instance.serve.updateBackend("good", untyped({ numReplicas: 2 })))).toMatchObject({
      code: "unknown_field",
      details: { field: "numReplicas" },
    });
  });
  test("in an endpoint", async () => {
    const call = instance.serve.createEndpoint("e", untyped({ backend: "good", path: "/e" }));
    expect(await refusal(call)).toMatchObject({ code: "unknown_field", details: { field: "path" } });
  });
  test("in a change of an endpoint", async () => {
    expect(await refusal(instance.serve.updateEndpoint("good", untyped({ path: "/e" })))).toMatchObject({
      code: "unknown_field",
      details: { field: "path" },
    });
  });
});

describe("a setting out of its bounds is refused by its name", () => {
  test.each<[string, unknown]>([
    ["numReplicas", 0],
    ["numReplicas", 1.5],
    ["numReplicas", "2"],
    ["numReplicas", 1_000_000],
    ["maxConcurrentQueries", 0],
    ["maxQueuedRequests", -1],
    ["maxBatchSize", 0],
    ["batchWaitTimeoutMs", -5],
    ["drainTimeoutMs", Number.NaN],
    ["env", { "NOT VALID": "x" }],
    ["env", { HEADGATE_HTTP_PORT: "1" }],
    ["env", { NUMBER: 1 }],
    ["methods", ["constructor"]],
    ["methods", ["reconfigure"]],
    ["userConfig", { call: () => 1 }],
  ])("%s: %p", async (field, value) => {
    class Handler {
      handle() {
        return "x";
      }
    }
    const call = instance.serve.createBackend({ name: "b", handler: Handler, config: untyped({ [field]: value }) });
    expect(await refusal(call)).toMatchObject({
      code: "invalid_argument",
      details: { field },
      message: expect.stringContaining(field === "methods" ? "never be called" : field === "env" ? "" : field),
    });
  });
});

test.each([[""], ["has space"], ["-begins"], ["ends-"], ["slash/ed"], ["ünï"], ["x".repeat(64)], [undefined], [7]])(
  "a bad name is refused: %p",
  async (name) => {
    expect(await refusal(instance.serve.createBackend(untyped({ name, handler: () => "x" })))).toMatchObject({
      code: "invalid_argument",
      details: { field: "name" },
    });
    expect(await refusal(instance.serve.createEndpoint(untyped(name), { backend: "good", route: "/e" }))).toMatchObject({
      code: "invalid_argument",
      details: { field: "name" },
    });
  },
);

test.each<[string, Record<string, unknown>]>([
  ["they do not sum to 1", { good: 0.9 }],
  ["they sum to more than 1", { good: 1.1 }],
  ["a negative one", { good: -1 }],
  ["not a number", { good: "1" }],
  ["NaN", { good: Number.NaN }],
  ["none at all", {}],
])("bad weights are refused: %s", async (_, weights) => {
  expect(await refusal(instance.serve.setTraffic("good", untyped(weights)))).toMatchObject({
    code: "invalid_argument",
    details: { field: "traffic" },
  });
});

test("weights for a backend that does not exist are refused by its name", async () => {
  expect(await refusal(instance.serve.setTraffic("good", { good: 0.5, nobody: 0.5 }))).toMatchObject({
    code: "backend_not_found",
    details: { backend: "nobody" },
  });
});

test.each([[1.5], [-0.1], [Number.NaN], ["half"]])("a bad proportion of a shadow is refused: %p", async (proportion) => {
  expect(await refusal(instance.serve.shadowTraffic("good", "good", untyped(proportion)))).toMatchObject({
    code: "invalid_argument",
    details: { field: "proportion" },
  });
});

test.each([
  ["no-slash"],
  ["/a//b"],
  ["/a/../b"],
  ["/a/*/b"],
  ["/:"],
  ["/:id/:id"],
  ["/-/routes"],
  ["/sp ace"],
  ["/quer?y"],
  ["/per%20cent"],
  [7],
  [`/${"x".repeat(2000)}`],
])("a wrong route is refused: %p", async (route) => {
  expect(await refusal(instance.serve.createEndpoint("e", { backend: "good", route: untyped(route) }))).toMatchObject({
    code: "invalid_argument",
    details: { field: "route" },
  });
});

test.each([["B AD"], [""], ["TRACE"], ["CONNECT"], [7]])("a wrong method is refused: %p", async (method) => {
  expect(await refusal(instance.serve.createEndpoint("e", { backend: "good", route: "/e", methods: [untyped(method)] }))).toMatchObject({
    code: "invalid_argument",
    details: { field: "methods" },
  });
});

test.each([
  ["requestTimeoutMs", -1],
  ["requestTimeoutMs", 1.5],
  ["maxBodyBytes", -1],
])("a wrong limit of an endpoint is refused: %s %p", async (field, value) => {
  expect(await refusal(instance.serve.createEndpoint("e", { backend: "good", route: "/e", [field]: value }))).toMatchObject({
    code: "invalid_argument",
    details: { field },
  });
});

test("a duplicate of a backend is refused", async () => {
  expect(await refusal(instance.serve.createBackend("good", () => "other"))).toMatchObject({
    code: "backend_exists",
    details: { backend: "good" },
  });
});

test("a duplicate of an endpoint is refused", async () => {
  expect(await refusal(instance.serve.createEndpoint("good", { backend: "good", route: "/other" }))).toMatchObject({
    code: "endpoint_exists",
    details: { endpoint: "good" },
  });
});

describe("a handler that cannot be loaded is told to the operator", () => {
  test("a missing module, before anything is started", async () => {
    const { code, message } = await refusal(instance.serve.createBackend("b", "./missing.ts#predict"));
    expect(code).toBe("module_not_found");
    expect(message).toContain("./missing.ts");
  });
  test("a module outside of the root, before anything is started", async () => {
    expect((await refusal(instance.serve.createBackend("b", `${outside}#x`))).code).toMatch(/^module_(?:not_found|outside_root)$/);
    expect(await refusal(instance.serve.createBackend("b", `${import.meta.filename}#x`))).toMatchObject({ code: "module_outside_root" });
  });
  test("a missing export, with those that there are", async () => {
    const { code, message } = await refusal(instance.serve.createBackend("b", "./handlers.ts#predict"));
    expect(code).toBe("export_not_found");
    expect(message).toMatch(/"predict".*fine/);
  });
  test("an export that is neither function nor class", async () => {
    expect(await refusal(instance.serve.createBackend("b", "./handlers.ts#notCallable"))).toMatchObject({ code: "export_not_found" });
  });
  test("a file that is no module of ours", async () => {
    expect(await refusal(instance.serve.createBackend("b", "./handlers.py#x"))).toMatchObject({
      code: "invalid_argument",
      details: { field: "handler" },
    });
  });
  test("a syntax error", async () => {
    const { code, message } = await refusal(instance.serve.createBackend("b", "./syntax.ts"));
    expect(code).toBe("constructor_failed");
    expect(message).toContain("syntax.ts");
  });
  test("an import that fails", async () => {
    const { code, message } = await refusal(instance.serve.createBackend("b", "./imports-nothing.ts"));
    expect(code).toBe("constructor_failed");
    expect(message).toContain("gone.ts");
  });
  test("a class that extends another cannot travel by its source", async () => {
    class Base {}
    class Derived extends Base {
      handle() {
        return "x";
      }
    }
    expect(await refusal(instance.serve.createBackend("b", Derived))).toMatchObject({
      code: "invalid_argument",
      details: { field: "handler" },
    });
  });
  test("a program that does not exist", async () => {
    expect(await refusal(instance.serve.createBackend("b", { command: ["headgate-no-such-program"] }))).toMatchObject({
      code: "replica_exited",
    });
  });
});

describe("a constructor that goes wrong is reported, and nothing half-made remains", () => {
  test("it throws: the exception with its message, file and line", async () => {
    const { code, message, details } = await refusal(
      instance.serve.createBackend({ name: "b", handler: "./throws.ts#Throws", config: { numReplicas: 3 } }),
    );
    expect(code).toBe("constructor_failed");
    expect(message).toMatch(/TypeError: the model is missing.*throws\.ts:3/);
    expect(details).toMatchObject({ exception: "TypeError", file: "throws.ts", line: "3" });
  });
  test("it hangs: the limit that fired", async () => {
    expect(await refusal(instance.serve.createBackend("b", "./hangs.ts#Hangs"))).toMatchObject({
      code: "constructor_timeout",
      details: { limit: "constructorTimeoutMs" },
    });
  });
  test("its module hangs while it is loaded", async () => {
    expect(await refusal(instance.serve.createBackend("b", "./hangs-while-loading.ts"))).toMatchObject({ code: "constructor_timeout" });
  });
  test("it ends the process: the exit code", async () => {
    const { code, message } = await refusal(instance.serve.createBackend("b", "./exits.ts#Exits"));
    expect(code).toBe("replica_exited");
    expect(message).toContain("7");
  });
  test("one that is mended afterwards can be created under the same name", async () => {
    await refusal(instance.serve.createBackend("b", "./throws.ts#Throws"));
    expect(await instance.serve.createBackend("b", "./handlers.ts#fine")).toMatchObject({ state: "ready" });
    await instance.serve.deleteBackend("b");
  });
});

test("what can be given only to a class is refused for a module's function", async () => {
  expect(await refusal(instance.serve.createBackend("b", "./handlers.ts#fine", 1))).toMatchObject({ code: "invalid_argument" });
  expect(
    await refusal(instance.serve.createBackend({ name: "b", handler: "./handlers.ts#fine", config: { userConfig: { a: 1 } } })),
  ).toMatchObject({ code: "invalid_argument" });
});

test("constructor arguments that are no JSON are refused", async () => {
  class Handler {
    handle() {
      return "x";
    }
  }
  expect(await refusal(instance.serve.createBackend({ name: "b", handler: Handler, args: [() => 1] }))).toMatchObject({
    code: "invalid_argument",
    details: { field: "args" },
  });
});

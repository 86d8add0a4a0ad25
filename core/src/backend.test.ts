// What makes a backend valid: its handler, arguments and settings, and the rules that bind them together.
import { expect, test } from "@jest/globals";
import {
  DEFAULT_BACKEND_CONFIG,
  type Handler,
  LIMITS,
  type Refusal,
  type Result,
  isJson,
  parseBackendConfig,
  parseBackendSpec,
  parseHandler,
} from "@headgate/core";

const FUNCTION: Handler = { kind: "inline", source: "() => 1", shape: "function", acceptsBatches: false };
const CLASS: Handler = { kind: "inline", source: "class { handle() {} }", shape: "class", acceptsBatches: false };

const spec = (changes: Partial<Parameters<typeof parseBackendSpec>[0]>): ReturnType<typeof parseBackendSpec> =>
  parseBackendSpec({ name: "b", handler: CLASS, args: [], config: undefined, ...changes });

function refusalOf(result: Result<unknown, Refusal>): Refusal {
  if (result.ok) throw new Error("was not refused");
  return result.error;
}

test("settings lie over their base, and what is undefined stays", () => {
  const changed = parseBackendConfig({ numReplicas: 3, maxConcurrentQueries: undefined });
  expect(changed).toEqual({ ok: true, value: { ...DEFAULT_BACKEND_CONFIG, numReplicas: 3 } });
  if (!changed.ok) return;
  expect(parseBackendConfig({ drainTimeoutMs: 5 }, changed.value)).toMatchObject({ value: { numReplicas: 3, drainTimeoutMs: 5 } });
  expect(parseBackendConfig(undefined, changed.value)).toEqual(changed);
});

test.each([
  ["numReplicas", 1, LIMITS.numReplicas],
  ["maxConcurrentQueries", 1, LIMITS.maxConcurrentQueries],
  ["maxQueuedRequests", 0, LIMITS.maxQueuedRequests],
  ["maxBatchSize", 1, LIMITS.maxBatchSize],
  ["batchWaitTimeoutMs", 0, LIMITS.batchWaitTimeoutMs],
  ["maxConcurrentBatches", 1, LIMITS.maxConcurrentBatches],
  ["drainTimeoutMs", 0, LIMITS.maxDrainTimeoutMs],
])("%s is a whole number from %d to %d", (field, least, most) => {
  for (const good of [least, most]) expect(parseBackendConfig({ [field]: good })).toMatchObject({ ok: true, value: { [field]: good } });
  for (const bad of [least - 1, most + 1, 1.5, Number.NaN, "3", true, {}, [1]]) {
    expect(refusalOf(parseBackendConfig({ [field]: bad }))).toMatchObject({ code: "invalid_argument", details: { field } });
  }
});

test("a field that is misspelt or hostile is refused by its name, with the names there are", () => {
  for (const field of ["numreplicas", "num_replicas", "constructor", "__proto__"]) {
    const refusal = refusalOf(parseBackendConfig(JSON.parse(`{${JSON.stringify(field)}: 1}`)));
    expect(refusal).toMatchObject({ code: "unknown_field", details: { field } });
    expect(refusal.message).toContain("numReplicas, maxConcurrentQueries");
  }
  for (const value of [null, [], "x", 7]) expect(refusalOf(parseBackendConfig(value)).details).toEqual({ field: "config" });
});

test("user config is any JSON up to its size in bytes", () => {
  for (const good of [null, 0, "x", [], { a: [{ b: null }] }])
    expect(parseBackendConfig({ userConfig: good })).toMatchObject({ value: { userConfig: good } });
  const euros = "€".repeat(LIMITS.argsBytes / 2);
  for (const bad of [Number.NaN, () => 1, new Date(0), new Map(), euros]) expect(parseBackendConfig({ userConfig: bad }).ok).toBe(false);
});

test("environment variables are strings with plain names, sorted, and none of the platform's own", () => {
  expect(parseBackendConfig({ env: { B: "2", A: "1" } })).toMatchObject({ ok: true, value: { env: { A: "1", B: "2" } } });
  for (const env of [
    { "A-B": "1" },
    { "1A": "1" },
    { HEADGATE_BOOT_FD: "3" },
    { A: 1 },
    { A: "a\0b" },
    { A: "x".repeat(LIMITS.envValueBytes + 1) },
    [],
    "A=1",
  ]) {
    expect(refusalOf(parseBackendConfig({ env }))).toMatchObject({ details: { field: "env" } });
  }
  const many = Object.fromEntries(Array.from({ length: LIMITS.envVariables + 1 }, (_, i) => [`V${i}`, ""]));
  expect(parseBackendConfig({ env: many }).ok).toBe(false);
});

test("methodsPerBackend: so many methods may be named, and one more is refused", () => {
  const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `m${n}`);
  expect(parseBackendConfig({ methods: names(LIMITS.methodsPerBackend) }).ok).toBe(true);
  expect(refusalOf(parseBackendConfig({ methods: names(LIMITS.methodsPerBackend + 1) })).details).toEqual({ field: "methods" });
});

test("methods are names of a class; its constructor and reconfigure can never be called from outside", () => {
  expect(parseBackendConfig({ methods: ["handle", "status", "handle"] })).toMatchObject({ value: { methods: ["handle", "status"] } });
  for (const methods of [[], ["constructor"], ["reconfigure"], ["a b"], [""], [7], "handle", null]) {
    expect(refusalOf(parseBackendConfig({ methods })).details).toEqual({ field: "methods" });
  }
});

test.each<[string, Handler]>([
  ["an empty source", { ...FUNCTION, source: " \n" }],
  ["a source over the limit in bytes", { ...FUNCTION, source: "é".repeat(LIMITS.inlineSourceBytes / 2 + 1) }],
  ["a module that is no script", { kind: "module", path: "handler.py", exportName: "default" }],
  ["a module path with a NUL", { kind: "module", path: "a\0.js", exportName: "default" }],
  ["an export that is no identifier", { kind: "module", path: "a.ts", exportName: "a-b" }],
  ["a command without words", { kind: "command", command: [] }],
  ["a command without a program", { kind: "command", command: ["", "x"] }],
  ["a command word with a NUL", { kind: "command", command: ["node", "a\0b"] }],
  ["a command of too many words", { kind: "command", command: Array.from({ length: LIMITS.commandWords + 1 }, () => "x") }],
])("%s is no handler", (_name, handler) => {
  expect(refusalOf(parseHandler(handler))).toMatchObject({ code: "invalid_argument", details: { field: "handler" } });
});

test.each<[string, Parameters<typeof spec>[0], string]>([
  ["arguments for a function", { handler: FUNCTION, args: [1] }, "args"],
  ["user config for a function", { handler: FUNCTION, config: { userConfig: 1 } }, "userConfig"],
  ["methods of a function", { handler: FUNCTION, config: { methods: ["other"] } }, "methods"],
  ["batches for a handler that takes none", { handler: CLASS, config: { maxBatchSize: 2 } }, "maxBatchSize"],
  ["an argument that is not JSON", { args: [undefined] }, "args"],
  ["too many arguments", { args: Array.from({ length: LIMITS.args + 1 }, () => 0) }, "args"],
  ["arguments over the limit in bytes", { args: ["€".repeat(LIMITS.argsBytes / 2)] }, "args"],
  ["a bad name", { name: "../b" }, "name"],
])("%s are refused", (_name, changes, field) => {
  expect(refusalOf(spec(changes))).toMatchObject({ code: "invalid_argument", details: { field } });
});

test("a class may have arguments, user config, methods and, if it takes them, batches", () => {
  const handler = { ...CLASS, acceptsBatches: true };
  expect(spec({ handler, args: [1, { a: null }], config: { userConfig: {}, methods: ["handle", "x"], maxBatchSize: 8 } }).ok).toBe(true);
});

test("JSON is told from what only looks like it, in cycles and depth too", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle, cycle);
  let deep: unknown = 1;
  for (let i = 0; i < 200; i++) deep = [deep];
  for (const bad of [cycle, deep, undefined, Number.POSITIVE_INFINITY, 1n, Symbol("s"), [undefined], { a: () => 1 }, new (class A {})()]) {
    expect(isJson(bad)).toBe(false);
  }
  // Generated code would lose the one key without a word, so that it is refused; the other is a key like any.
  expect(isJson(JSON.parse('{"a": [{"__proto__": 1}]}'))).toBe(false);
  expect(isJson(JSON.parse('{"constructor": {"prototype": 1}}'))).toBe(true);
  expect(isJson(new Array(2))).toBe(false);
});

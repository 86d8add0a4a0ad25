import { expect, test } from "@jest/globals";
import { batched, handler } from "@headgate/core";
import { handlerLabel, parseHandlerInput } from "./handler-input.ts";

/** What the source of an inline handler evaluates to, as a replica evaluates it. */
function evaluated(input: unknown): unknown {
  const parsed = parseHandlerInput(input);
  if (!parsed.ok || parsed.value.kind !== "inline") throw new Error("not inline");
  return new Function(`return (${parsed.value.source}\n)`)();
}

const call = (value: unknown): unknown => (typeof value === "function" ? value("x") : undefined);

test.each([
  ["an arrow function", (request: string) => `1${request}`],
  ["an arrow function without parentheses", new Function("return request => '1' + request")()],
  [
    "a function",
    function plain(request: string) {
      return `1${request}`;
    },
  ],
  [
    "a method in shorthand",
    {
      handle(request: string) {
        return `1${request}`;
      },
    }.handle,
  ],
  [
    "a method named by a string",
    {
      "a b"(request: string) {
        return `1${request}`;
      },
    }["a b"],
  ],
])("%s travels by its source", (_, input) => {
  expect(call(evaluated(input))).toBe("1x");
});

test.each([
  ["an async arrow function", async (request: string) => `1${request}`],
  [
    "an async function",
    async function plain(request: string) {
      return `1${request}`;
    },
  ],
  [
    "an async method",
    {
      async handle(request: string) {
        return `1${request}`;
      },
    }.handle,
  ],
])("%s travels by its source", async (_, input) => {
  expect(await call(evaluated(input))).toBe("1x");
});

test("a class travels by its source and keeps its fields", () => {
  class Greeter {
    message = "hello";
    handle() {
      return this.message;
    }
  }
  const parsed = parseHandlerInput(Greeter);
  expect(parsed).toMatchObject({ ok: true, value: { kind: "inline", shape: "class", acceptsBatches: false } });
  const Copy = evaluated(Greeter) as typeof Greeter; // evaluates to the same class
  expect(new Copy().handle()).toBe("hello");
});

test("batched() and a class's static acceptsBatches mark a handler that takes lists", () => {
  class Lists {
    static acceptsBatches = true;
    handle() {}
  }
  expect(parseHandlerInput(batched((requests) => requests.map(() => 1)))).toMatchObject({ ok: true, value: { acceptsBatches: true } });
  expect(parseHandlerInput(Lists)).toMatchObject({ ok: true, value: { acceptsBatches: true } });
});

test("a module and its export are named by a string or by handler()", () => {
  expect(parseHandlerInput("./handlers.ts#predict")).toEqual({
    ok: true,
    value: { kind: "module", path: "./handlers.ts", exportName: "predict" },
  });
  expect(parseHandlerInput("./app.mjs")).toEqual({ ok: true, value: { kind: "module", path: "./app.mjs", exportName: "default" } });
  expect(parseHandlerInput(handler<{ predict(): void }>("./handlers.ts", "predict"))).toMatchObject({
    ok: true,
    value: { exportName: "predict" },
  });
});

test("a command is its words", () => {
  expect(parseHandlerInput({ command: ["python3", "worker.py"] })).toEqual({
    ok: true,
    value: { kind: "command", command: ["python3", "worker.py"] },
  });
});

test.each([
  ["a number", 3, "neither a function nor a class"],
  ["null", null, "neither a function nor a class"],
  ["a plain word", "hello", "neither a function nor a class"],
  ["an object", { handle: 1 }, "neither a function nor a class"],
  ["a command with another field", { command: ["a"], shell: true }, "neither a function nor a class"],
  ["a command of numbers", { command: [1] }, "list of strings"],
  ["an empty command", { command: [] }, "program"],
  ["a bound function", (() => 1).bind(null), "bound or built-in"],
  ["a built-in function", Math.max, "bound or built-in"],
  [
    "a getter",
    Object.getOwnPropertyDescriptor(
      {
        get x() {
          return 1;
        },
      },
      "x",
    )?.get,
    "accessor",
  ],
  ["a class that extends another", class extends Map {}, "extends another"],
  ["a module of another kind", "./handlers.cjs#x", "must end in"],
  ["an export that is no name", "./handlers.ts#a b", "not the name of an export"],
])("%s is refused", (_, input, words) => {
  const parsed = parseHandlerInput(input);
  expect(parsed).toMatchObject({ ok: false, error: { code: "invalid_argument" } });
  if (!parsed.ok) expect(parsed.error.message).toContain(words);
});

test("a label says in a few words what runs", () => {
  expect(handlerLabel({ kind: "module", path: "./a.ts", exportName: "b" })).toBe("./a.ts#b");
  expect(handlerLabel({ kind: "command", command: ["python3", "w.py"] })).toBe("python3 w.py");
});

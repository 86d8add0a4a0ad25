// What a caller may give as a handler, turned into what the controller takes. A function or class travels by its source,
// so it must be self-contained; a module travels by name. Pure: nothing is called, loaded or looked for here.

import type { AcceptsBatches, Handler, HandlerClass, HandlerCommand, HandlerFunction, HandlerReference } from "@headgate/core";
import { type Refusal, type Result, err, fault, parseHandler, shown } from "@headgate/core";

/** The forms of a handler: function, class, "./file.ts#export", handler(…), batched(…) or { command }. */
export type HandlerInput = HandlerFunction | HandlerClass | string | HandlerReference | HandlerCommand | AcceptsBatches;

const refused = (message: string): { readonly ok: false; readonly error: Refusal } =>
  err(fault("invalid_argument", message, { field: "handler" }));

/** A handler out of what a caller gave. */
export function parseHandlerInput(input: unknown): Result<Handler, Refusal> {
  if (typeof input === "function") return inlineHandler(input);
  if (typeof input === "string") return moduleHandler(input);
  if (typeof input === "object" && input !== null) {
    const { command, kind, path, exportName, ...others } = { ...input } as Record<string, unknown>; // any object's own fields
    const other = Object.keys(others)[0];
    if (Array.isArray(command) && other === undefined) {
      const words: unknown[] = command;
      if (!words.every((word) => typeof word === "string")) return refused("command must be a list of strings");
      return parseHandler({ kind: "command", command: words });
    }
    if (kind === "module" && typeof path === "string" && typeof exportName === "string") {
      return parseHandler({ kind, path, exportName });
    }
  }
  return refused(
    `a handler is a function, a class, "./file.ts#export" or { command: […] }; ${shown(input)} is neither a function nor a class`,
  );
}

/** "./handlers.ts#predict", or "./handlers.ts" for the default export. */
function moduleHandler(text: string): Result<Handler, Refusal> {
  const hash = text.lastIndexOf("#");
  const path = hash < 0 ? text : text.slice(0, hash);
  if (!/\.[cm]?[jt]sx?$/.test(path)) {
    return refused(
      `a handler is a function, a class, "./file.ts#export" or { command: […] }; ${shown(text)} is neither a function nor a class, and names no module`,
    );
  }
  return parseHandler({ kind: "module", path, exportName: hash < 0 ? "default" : text.slice(hash + 1) });
}

function inlineHandler(value: object): Result<Handler, Refusal> {
  const text = Function.prototype.toString.call(value);
  if (/\{\s*\[native code\]\s*\}\s*$/.test(text)) {
    return refused("a bound or built-in function has no source that could travel; wrap it in a function, or name a module's export");
  }
  const acceptsBatches = Reflect.get(value, "acceptsBatches") === true;
  if (/^class\b/.test(text)) {
    const parent: unknown = Object.getPrototypeOf(value);
    if (typeof parent === "function" && parent !== Function.prototype) {
      return refused(
        'a class that extends another does not travel by its source; export it from a module and name it as "./file.ts#Class"',
      );
    }
    return parseHandler({ kind: "inline", source: text, shape: "class", acceptsBatches });
  }
  if (text.startsWith("#") || /^(?:get|set)\s+[^(=\s]/.test(text)) {
    return refused("a private method or an accessor does not travel by its source; use a function");
  }
  const source = isExpression(text) ? text : `Object.values({ ${text}\n})[0]`;
  return parseHandler({ kind: "inline", source, shape: "function", acceptsBatches });
}

/** Whether a function's source stands for itself; a method written in shorthand does only inside of an object. */
function isExpression(text: string): boolean {
  return (
    /^(?:async\s+)?function\b/.test(text) ||
    /^(?:async\s*)?\(/.test(text) ||
    /^(?:async\s+)?[\p{ID_Start}$_][\p{ID_Continue}$]*\s*=>/u.test(text)
  );
}

/** A handler in a few words, as tables show it. */
export function handlerLabel(handler: Handler): string {
  switch (handler.kind) {
    case "inline":
      return `inline ${handler.shape}`;
    case "module":
      return `${handler.path}#${handler.exportName}`;
    case "command":
      return handler.command.join(" ");
    default:
      return handler satisfies never;
  }
}

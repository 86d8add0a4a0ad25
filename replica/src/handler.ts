// The user's handler: found, constructed, and made callable by method name. All user code runs from here or invoke.ts.
// No request is known here.

import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { Script, constants } from "node:vm";
import { type BackendSpec, type BatchContext, type FaultCode, HeadgateError, type Json, fault } from "@headgate/core";

/** A function of a handler: takes a request, or a list of them and what goes with it. */
export type HandlerMethod = (input: unknown, batch?: BatchContext) => unknown;

/** A handler that can be called. */
export interface LoadedHandler {
  /** Whether its methods take lists of requests. */
  readonly acceptsBatches: boolean;
  /** Methods that may be called. */
  readonly methods: readonly string[];
  /** The function of a method; undefined: not declared. */
  readonly method: (name: string) => HandlerMethod | undefined;
  /** Hands a new user config to the class. Rejects with what it throws. */
  readonly reconfigure: (userConfig: Json) => Promise<void>;
  /** Lets the object clean up: its [Symbol.asyncDispose] or [Symbol.dispose], if it has one. */
  readonly dispose: () => Promise<void>;
}

type AnyFunction = (...args: unknown[]) => unknown;
type AnyClass = new (...args: unknown[]) => object;

/** A handler that cannot be used, with the fault that says why. */
function unusable(code: FaultCode, message: string): HeadgateError {
  return new HeadgateError(fault(code, message));
}

/** Loads and constructs what the spec names. Rejects with what the user's code throws, or with a HeadgateError. */
export async function loadHandler(spec: BackendSpec, root: string): Promise<LoadedHandler> {
  const exported = await evaluate(spec, root);
  if (typeof exported.value !== "function") {
    throw unusable("export_not_found", `${exported.label} is ${typeof exported.value}, not a function or class`);
  }
  const declaredBatches: unknown = Reflect.get(exported.value, "acceptsBatches");
  const acceptsBatches = declaredBatches === true || exported.acceptsBatches;
  if (spec.config.maxBatchSize !== null && !acceptsBatches) {
    throw unusable("invalid_argument", `maxBatchSize needs a handler that accepts batches, and ${exported.label} does not`);
  }
  return isClass(exported.value)
    ? construct(exported.value, spec, exported.label, acceptsBatches)
    : wrapFunction(exported.value as AnyFunction, spec, exported.label, acceptsBatches);
}

interface Exported {
  readonly value: unknown;
  readonly acceptsBatches: boolean;
  /** How messages name it. */
  readonly label: string;
}

async function evaluate(spec: BackendSpec, root: string): Promise<Exported> {
  const { handler } = spec;
  switch (handler.kind) {
    case "inline": {
      // Compilers that keep function names (esbuild, and so tsx) wrap functions in a helper that does not travel along.
      Reflect.set(globalThis, "__name", (target: unknown) => target);
      const script = new Script(`(${handler.source}\n)`, {
        filename: `inline:${spec.name}`,
        importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      });
      return { value: script.runInThisContext(), acceptsBatches: handler.acceptsBatches, label: `handler of "${spec.name}"` };
    }
    case "module": {
      const file = resolve(root, handler.path);
      const module: Record<string, unknown> = await import(pathToFileURL(file).href);
      if (!Object.hasOwn(module, handler.exportName)) {
        const names = Object.keys(module).join(", ") || "nothing";
        throw unusable("export_not_found", `${handler.path} has no export "${handler.exportName}"; it exports ${names}`);
      }
      return { value: module[handler.exportName], acceptsBatches: false, label: `${handler.path}#${handler.exportName}` };
    }
    case "command":
      throw unusable("internal", "a command handler runs its own program, not this one");
    default:
      return handler satisfies never;
  }
}

function isClass(value: unknown): value is AnyClass {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

function wrapFunction(call: AnyFunction, spec: BackendSpec, label: string, acceptsBatches: boolean): LoadedHandler {
  if (spec.args.length > 0) throw unusable("invalid_argument", `${label} is a function: it takes no constructor arguments`);
  if (spec.config.userConfig !== undefined) {
    throw unusable("invalid_argument", `${label} is a function: it has no reconfigure(), so userConfig cannot be used`);
  }
  if (spec.config.methods.length !== 1 || spec.config.methods[0] !== "handle") {
    throw unusable("invalid_argument", `${label} is a function: it has no methods`);
  }
  const handle: HandlerMethod = acceptsBatches ? (input, batch) => call(input, batch) : (input) => call(input);
  return {
    acceptsBatches,
    methods: ["handle"],
    method: (name) => (name === "handle" ? handle : undefined),
    reconfigure: () => Promise.reject(unusable("invalid_argument", `${label} is a function: it has no reconfigure()`)),
    dispose: () => Promise.resolve(),
  };
}

async function construct(Class: AnyClass, spec: BackendSpec, label: string, acceptsBatches: boolean): Promise<LoadedHandler> {
  const prototype: object = Class.prototype;
  for (const name of spec.config.methods) {
    const own = Object.getOwnPropertyDescriptor(prototype, name);
    if (typeof own?.value !== "function") {
      throw unusable("export_not_found", `class ${label} declares no method "${name}"; methods must be its own, not inherited`);
    }
  }
  const instance = new Class(...structuredClone(spec.args));
  const methods = new Map(
    spec.config.methods.map((name) => {
      const method: AnyFunction = Reflect.get(instance, name);
      const bound: HandlerMethod = acceptsBatches
        ? (input, batch) => method.call(instance, input, batch)
        : (input) => method.call(instance, input);
      return [name, bound] as const;
    }),
  );
  const reconfigure = async (userConfig: Json): Promise<void> => {
    const method: unknown = Reflect.get(instance, "reconfigure");
    if (typeof method !== "function") {
      throw unusable("invalid_argument", `class ${label} has no reconfigure(config), so userConfig cannot be used`);
    }
    await Reflect.apply(method, instance, [structuredClone(userConfig)]);
  };
  if (spec.config.userConfig !== undefined) await reconfigure(spec.config.userConfig);
  return {
    acceptsBatches,
    methods: spec.config.methods,
    method: (name) => methods.get(name),
    reconfigure,
    dispose: async () => {
      const dispose: unknown = Reflect.get(instance, Symbol.asyncDispose) ?? Reflect.get(instance, Symbol.dispose);
      if (typeof dispose === "function") await Reflect.apply(dispose, instance, []);
    },
  };
}

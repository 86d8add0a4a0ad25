// Backends as the whole house speaks of them: handler, arguments, settings, and the checks that make them valid.
// Pure. What a backend does at run time stands in controller/ and replica/.

import { checkInteger, invalid, isRecord, shown } from "./checks.ts";
import { type Refusal, fault } from "./faults.ts";
import { LIMITS } from "./limits.ts";
import { type BackendName, parseBackendName } from "./names.ts";
import type { Json } from "./ports.ts";
import { type Result, err, ok } from "./result.ts";
import { utf8Bytes } from "./text.ts";

/** What a replica runs. */
export type Handler =
  | {
      readonly kind: "inline";
      /** JavaScript source of one self-contained function or class expression. */
      readonly source: string;
      readonly shape: "function" | "class";
      /** Whether it takes a list of requests and returns a list of equal length. */
      readonly acceptsBatches: boolean;
    }
  | {
      readonly kind: "module";
      /** A .ts, .mts, .js or .mjs file; a relative path starts at the instance's root. */
      readonly path: string;
      readonly exportName: string;
    }
  | {
      readonly kind: "command";
      /** Program and arguments; no shell is involved. */
      readonly command: readonly string[];
    };

/** The settings of a backend, every default filled in. */
export interface BackendConfig {
  /** Number of replica processes. */
  readonly numReplicas: number;
  /** Requests that one replica runs at the same time, whatever the number of bridges. */
  readonly maxConcurrentQueries: number;
  /** Requests that wait in a bridge before further ones are refused. */
  readonly maxQueuedRequests: number;
  /** Largest batch; null: batches of one. */
  readonly maxBatchSize: number | null;
  /** The most that a request waits for others to join its batch while no batch of its method runs, in milliseconds. */
  readonly batchWaitTimeoutMs: number;
  /** Batches of one method that one replica runs at the same time. */
  readonly maxConcurrentBatches: number;
  /** Passed to the class's reconfigure(); undefined: reconfigure() is not called. */
  readonly userConfig: Json | undefined;
  /** How long a replica that leaves may finish its requests, in milliseconds. */
  readonly drainTimeoutMs: number;
  /** Environment variables added to the replica's. */
  readonly env: Readonly<Record<string, string>>;
  /** Public methods of the class that may be called. */
  readonly methods: readonly string[];
}

/** A backend as the operator asks for it. */
export interface BackendSpec {
  readonly name: BackendName;
  readonly handler: Handler;
  /** Constructor arguments, for a class only. */
  readonly args: readonly Json[];
  readonly config: BackendConfig;
}

/** The settings a backend has where nothing else is asked for. */
export const DEFAULT_BACKEND_CONFIG: BackendConfig = {
  numReplicas: 1,
  maxConcurrentQueries: 100,
  maxQueuedRequests: 1000,
  maxBatchSize: null,
  batchWaitTimeoutMs: 0,
  maxConcurrentBatches: 1,
  userConfig: undefined,
  drainTimeoutMs: LIMITS.drainTimeoutMs,
  env: {},
  methods: ["handle"],
};

const INTEGER_FIELDS = {
  numReplicas: [1, LIMITS.numReplicas],
  maxConcurrentQueries: [1, LIMITS.maxConcurrentQueries],
  maxQueuedRequests: [0, LIMITS.maxQueuedRequests],
  batchWaitTimeoutMs: [0, LIMITS.batchWaitTimeoutMs],
  maxConcurrentBatches: [1, LIMITS.maxConcurrentBatches],
  drainTimeoutMs: [0, LIMITS.maxDrainTimeoutMs],
} as const;

/** What the name of a method looks like. */
export const METHOD_NAME = /^[A-Za-z_$][A-Za-z0-9_$]{0,127}$/;
// Not "__proto__": the objects that carry variables over the wire would lose it without a word.
const ENV_NAME = /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*$/;
/** Methods that can never be called from outside. */
const RESERVED_METHODS = new Set(["constructor", "reconfigure", "__proto__"]);
/** Variables that the platform sets itself or that would let a caller's settings take over the process. */
const RESERVED_ENV = /^HEADGATE_/;

/**
 * Whether a value is JSON that the contract can carry: no functions, no undefined, no NaN, no cycles, at most 100 deep, and
 * no key "__proto__", which the generated code would lose without a word.
 */
export function isJson(value: unknown, depth = 0): value is Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth > 100) return false;
  // Copied, because every() passes over holes.
  if (Array.isArray(value)) return [...(value as readonly unknown[])].every((item) => isJson(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  if (Object.hasOwn(value, "__proto__")) return false;
  return Object.values(value).every((item) => isJson(item, depth + 1));
}

/**
 * Checks settings and lays them over `base`. `changes` comes from a caller: any object. A field that is undefined stays as
 * in `base`; an unknown field is refused by name.
 */
export function parseBackendConfig(changes: unknown, base: BackendConfig = DEFAULT_BACKEND_CONFIG): Result<BackendConfig, Refusal> {
  if (changes === undefined) return ok(base);
  if (!isRecord(changes)) return invalid("config", `config must be an object, not ${shown(changes)}`);
  const next: { -readonly [K in keyof BackendConfig]: BackendConfig[K] } = { ...base };
  for (const [field, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    switch (field) {
      case "numReplicas":
      case "maxConcurrentQueries":
      case "maxQueuedRequests":
      case "batchWaitTimeoutMs":
      case "maxConcurrentBatches":
      case "drainTimeoutMs": {
        const [min, max] = INTEGER_FIELDS[field];
        const checked = checkInteger(field, value, min, max);
        if (!checked.ok) return checked;
        next[field] = checked.value;
        break;
      }
      case "maxBatchSize": {
        if (value === null) {
          next.maxBatchSize = null;
          break;
        }
        const checked = checkInteger(field, value, 1, LIMITS.maxBatchSize);
        if (!checked.ok) return checked;
        next.maxBatchSize = checked.value;
        break;
      }
      case "userConfig": {
        if (!isJson(value)) return invalid(field, "userConfig must be a JSON value");
        if (utf8Bytes(JSON.stringify(value)) > LIMITS.argsBytes) {
          return invalid(field, `userConfig must be at most ${LIMITS.argsBytes} bytes of JSON`);
        }
        next.userConfig = value;
        break;
      }
      case "env": {
        const checked = parseEnv(value);
        if (!checked.ok) return checked;
        next.env = checked.value;
        break;
      }
      case "methods": {
        const checked = parseMethods(value);
        if (!checked.ok) return checked;
        next.methods = checked.value;
        break;
      }
      default: {
        const known = Object.keys(DEFAULT_BACKEND_CONFIG).join(", ");
        return err(fault("unknown_field", `config has no field ${shown(field)}; its fields are ${known}`, { field }));
      }
    }
  }
  return ok(next);
}

function parseEnv(value: unknown): Result<Readonly<Record<string, string>>, Refusal> {
  if (!isRecord(value)) return invalid("env", `env must be an object of strings, not ${shown(value)}`);
  const entries = Object.entries(value);
  if (entries.length > LIMITS.envVariables) {
    return invalid("env", `env must have at most ${LIMITS.envVariables} variables`);
  }
  const env: [string, string][] = [];
  for (const [name, text] of entries) {
    if (!ENV_NAME.test(name)) return invalid("env", `${shown(name)} is not a valid name of an environment variable`);
    if (RESERVED_ENV.test(name)) return invalid("env", `${name} cannot be set: names that begin with HEADGATE_ are reserved`);
    if (typeof text !== "string" || utf8Bytes(text) > LIMITS.envValueBytes || text.includes("\0")) {
      return invalid("env", `env.${name} must be a string of at most ${LIMITS.envValueBytes} bytes`);
    }
    env.push([name, text]);
  }
  return ok(Object.fromEntries(env.sort(([a], [b]) => (a < b ? -1 : 1))));
}

function parseMethods(value: unknown): Result<readonly string[], Refusal> {
  if (!Array.isArray(value) || value.length === 0 || value.length > LIMITS.methodsPerBackend) {
    return invalid("methods", `methods must be a list of 1 to ${LIMITS.methodsPerBackend} method names`);
  }
  const names: string[] = [];
  for (const name of value as readonly unknown[]) {
    if (typeof name !== "string" || !METHOD_NAME.test(name)) {
      return invalid("methods", `${shown(name)} is not a valid method name`);
    }
    if (RESERVED_METHODS.has(name)) return invalid("methods", `${shown(name)} can never be called from outside`);
    if (!names.includes(name)) names.push(name);
  }
  return ok(names);
}

/** Checks a handler. */
export function parseHandler(handler: Handler): Result<Handler, Refusal> {
  switch (handler.kind) {
    case "inline":
      if (handler.source.trim() === "") return invalid("handler", "the handler's source is empty");
      if (utf8Bytes(handler.source) > LIMITS.inlineSourceBytes) {
        return invalid("handler", `the handler's source must be at most ${LIMITS.inlineSourceBytes} bytes; put it into a module`);
      }
      return ok(handler);
    case "module":
      if (!/\.(?:ts|mts|js|mjs)$/.test(handler.path) || utf8Bytes(handler.path) > 4096 || handler.path.includes("\0")) {
        return invalid("handler", `${shown(handler.path)} is not a module file: it must end in .ts, .mts, .js or .mjs`);
      }
      if (!/^[A-Za-z_$][A-Za-z0-9_$]{0,255}$/.test(handler.exportName)) {
        return invalid("handler", `${shown(handler.exportName)} is not the name of an export`);
      }
      return ok(handler);
    case "command":
      if (handler.command.length === 0 || handler.command[0] === "") {
        return invalid("handler", "command needs a program as its first word");
      }
      if (handler.command.length > LIMITS.commandWords || handler.command.some((w) => utf8Bytes(w) > 4096 || w.includes("\0"))) {
        return invalid("handler", `command must have at most ${LIMITS.commandWords} words of at most 4096 bytes`);
      }
      return ok(handler);
    default:
      return handler satisfies never;
  }
}

/** Checks what only makes sense together: a handler with its arguments and settings. */
export function parseBackendSpec(input: {
  readonly name: unknown;
  readonly handler: Handler;
  readonly args: readonly unknown[];
  readonly config: unknown;
}): Result<BackendSpec, Refusal> {
  const name = parseBackendName(input.name);
  if (!name.ok) return name;
  const handler = parseHandler(input.handler);
  if (!handler.ok) return handler;
  const config = parseBackendConfig(input.config);
  if (!config.ok) return config;
  const args: Json[] = [];
  for (const [index, arg] of input.args.entries()) {
    if (!isJson(arg)) return invalid("args", `constructor argument ${index + 1} is not a JSON value`);
    args.push(arg);
  }
  return checkSpec({ name: name.value, handler: handler.value, args, config: config.value });
}

/** The rules that bind a spec's parts together; also run after every update. */
export function checkSpec(spec: BackendSpec): Result<BackendSpec, Refusal> {
  const { handler, args, config } = spec;
  if (args.length > LIMITS.args || utf8Bytes(JSON.stringify(args)) > LIMITS.argsBytes) {
    return invalid("args", `constructor arguments must be at most ${LIMITS.args} values and ${LIMITS.argsBytes} bytes of JSON`);
  }
  if (handler.kind === "inline" && handler.shape === "function") {
    if (args.length > 0) {
      return invalid("args", "a function takes no constructor arguments; use a class, or leave the arguments out");
    }
    if (config.userConfig !== undefined) {
      return invalid("userConfig", "a function has no reconfigure(); userConfig needs a class");
    }
    if (config.methods.length !== 1 || config.methods[0] !== "handle") {
      return invalid("methods", "a function has no methods; methods need a class");
    }
  }
  if (handler.kind === "inline" && config.maxBatchSize !== null && !handler.acceptsBatches) {
    return invalid(
      "maxBatchSize",
      "maxBatchSize needs a handler that accepts batches: wrap it in batched(…), or give its class `static acceptsBatches = true`",
    );
  }
  return ok(spec);
}

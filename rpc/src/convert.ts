// The rim: messages of backends to domain types and back; those of endpoints stand in convert-endpoint.ts. Nothing else in
// the house builds or reads these messages' specs.
// Into the domain everything is checked, as it may come from anyone; out of it every field is written out.

import {
  type BackendConfig,
  type BackendSpec,
  type Handler,
  type Json,
  type Refusal,
  type Result,
  err,
  fault,
  ok,
  parseBackendSpec,
} from "@headgate/core";
import * as pb from "@headgate/proto/backend";

/** A handler out of its message. */
export function handlerFromProto(message: pb.Handler | undefined): Result<Handler, Refusal> {
  const kind = message?.kind;
  if (kind === undefined) {
    return err(fault("invalid_argument", "a backend needs a handler: a function, a class, a module or a command", { field: "handler" }));
  }
  switch (kind.$case) {
    case "inline": {
      const { source, shape, acceptsBatches } = kind.value;
      if (shape === pb.InlineHandler_Shape.FUNCTION) return ok({ kind: "inline", source, shape: "function", acceptsBatches });
      if (shape === pb.InlineHandler_Shape.CLASS) return ok({ kind: "inline", source, shape: "class", acceptsBatches });
      return err(fault("invalid_argument", "a handler must be a function or a class", { field: "handler" }));
    }
    case "module":
      return ok({ kind: "module", path: kind.value.path, exportName: kind.value.exportName || "default" });
    case "command":
      return ok({ kind: "command", command: kind.value.command });
    default:
      return kind satisfies never;
  }
}

/** A handler as its message. */
export function handlerToProto(handler: Handler): pb.Handler {
  switch (handler.kind) {
    case "inline":
      return {
        kind: {
          $case: "inline",
          value: {
            source: handler.source,
            shape: handler.shape === "class" ? pb.InlineHandler_Shape.CLASS : pb.InlineHandler_Shape.FUNCTION,
            acceptsBatches: handler.acceptsBatches,
          },
        },
      };
    case "module":
      return { kind: { $case: "module", value: { path: handler.path, exportName: handler.exportName } } };
    case "command":
      return { kind: { $case: "command", value: { command: [...handler.command] } } };
    default:
      return handler satisfies never;
  }
}

/**
 * The settings that a message names, by their domain names, ready for parseBackendConfig. Maps and lists count as named
 * where they are not empty or where `replaced` (snake_case names) says so; a setting that `replaced` names and the message
 * does not set goes back to its default.
 */
export function configChangesFromProto(
  message: pb.BackendConfig | undefined,
  replaced: readonly string[] = [],
): Result<Readonly<Record<string, unknown>>, Refusal> {
  const changes: Record<string, unknown> = {};
  if (message !== undefined) {
    if (message.numReplicas !== undefined) changes.numReplicas = message.numReplicas;
    if (message.maxConcurrentQueries !== undefined) changes.maxConcurrentQueries = message.maxConcurrentQueries;
    if (message.maxQueuedRequests !== undefined) changes.maxQueuedRequests = message.maxQueuedRequests;
    if (message.maxBatchSize !== undefined) changes.maxBatchSize = message.maxBatchSize;
    if (message.batchWaitTimeoutMs !== undefined) changes.batchWaitTimeoutMs = message.batchWaitTimeoutMs;
    if (message.maxConcurrentBatches !== undefined) changes.maxConcurrentBatches = message.maxConcurrentBatches;
    if (message.userConfig !== undefined) changes.userConfig = message.userConfig;
    if (message.drainTimeoutMs !== undefined) changes.drainTimeoutMs = message.drainTimeoutMs;
    if (Object.keys(message.env).length > 0) changes.env = message.env;
    if (message.methods.length > 0) changes.methods = message.methods;
  }
  for (const field of replaced) {
    switch (field) {
      case "env":
        changes.env = message?.env ?? {};
        break;
      case "methods":
        changes.methods = message !== undefined && message.methods.length > 0 ? message.methods : ["handle"];
        break;
      case "max_batch_size":
        changes.maxBatchSize = message?.maxBatchSize ?? null;
        break;
      default:
        return err(fault("unknown_field", `config_fields can name env, methods and max_batch_size, not "${field}"`, { field }));
    }
  }
  return ok(changes);
}

/** Settings as their message, every field written out. */
export function configToProto(config: BackendConfig): pb.BackendConfig {
  return {
    numReplicas: config.numReplicas,
    maxConcurrentQueries: config.maxConcurrentQueries,
    maxQueuedRequests: config.maxQueuedRequests,
    maxBatchSize: config.maxBatchSize ?? undefined,
    batchWaitTimeoutMs: config.batchWaitTimeoutMs,
    maxConcurrentBatches: config.maxConcurrentBatches,
    userConfig: config.userConfig,
    drainTimeoutMs: config.drainTimeoutMs,
    env: { ...config.env },
    methods: [...config.methods],
  };
}

/** A backend out of its message, checked. */
export function backendSpecFromProto(message: pb.BackendSpec | undefined): Result<BackendSpec, Refusal> {
  if (message === undefined) return err(fault("invalid_argument", "spec is missing", { field: "spec" }));
  const handler = handlerFromProto(message.handler);
  if (!handler.ok) return handler;
  const config = configChangesFromProto(message.config);
  if (!config.ok) return config;
  return parseBackendSpec({ name: message.name, handler: handler.value, args: message.args, config: config.value });
}

/** A backend as its message. */
export function backendSpecToProto(spec: BackendSpec): pb.BackendSpec {
  return {
    name: spec.name,
    handler: handlerToProto(spec.handler),
    args: [...spec.args] as Json[],
    config: configToProto(spec.config),
  };
}

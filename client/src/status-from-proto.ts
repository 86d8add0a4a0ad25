// The rim of the control client: statuses out of their proto messages. A message that makes no sense is a fault.
// Specs are taken apart by rpc/src/convert.ts; here only what stands around them.

import { HeadgateError, type Result, type Refusal, fault } from "@headgate/core";
import {
  type BackendStatus as PbBackend,
  BackendStatus_State,
  type ReplicaStatus as PbReplica,
  ReplicaStatus_State,
} from "@headgate/proto/backend";
import { type BridgeStatus as PbBridge, BridgeStatus_State, type GetStatusResponse } from "@headgate/proto/controller";
import type { EndpointStatus as PbEndpoint } from "@headgate/proto/endpoint";
import type { Exception } from "@headgate/proto/fault";
import { backendSpecFromProto, endpointSpecFromProto } from "@headgate/rpc";
import type { Backend, BridgeStatus, Endpoint, InstanceStatus, ReplicaStatus, UserException } from "./status.ts";

const BACKEND_STATES = {
  [BackendStatus_State.UNSPECIFIED]: "updating",
  [BackendStatus_State.CREATING]: "creating",
  [BackendStatus_State.READY]: "ready",
  [BackendStatus_State.UPDATING]: "updating",
  [BackendStatus_State.DEGRADED]: "degraded",
} as const;

const REPLICA_STATES = {
  [ReplicaStatus_State.UNSPECIFIED]: "launching",
  [ReplicaStatus_State.LAUNCHING]: "launching",
  [ReplicaStatus_State.WARMING]: "warming",
  [ReplicaStatus_State.SERVING]: "serving",
  [ReplicaStatus_State.DRAINING]: "draining",
  [ReplicaStatus_State.GONE]: "gone",
} as const;

const BRIDGE_STATES = {
  [BridgeStatus_State.UNSPECIFIED]: "launching",
  [BridgeStatus_State.LAUNCHING]: "launching",
  [BridgeStatus_State.SERVING]: "serving",
  [BridgeStatus_State.DRAINING]: "draining",
} as const;

function understood<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new HeadgateError(
    fault("internal", `the controller's answer cannot be read: ${result.error.message}; are both sides of the same version?`),
  );
}

function present<T>(message: T | undefined, what: string): T {
  if (message !== undefined) return message;
  throw new HeadgateError(fault("internal", `the controller's answer has no ${what}; are both sides of the same version?`));
}

const orNull = (value: number): number | null => (value === 0 ? null : value);

/** A backend out of its message. */
export function backendFromProto(source: PbBackend | undefined): Backend {
  const message = present(source, "backend");
  const spec = understood(backendSpecFromProto(message.spec));
  return {
    name: spec.name,
    state: BACKEND_STATES[message.state],
    acceptsBatches: message.acceptsBatches,
    ...spec.config,
    handler: spec.handler,
    args: spec.args,
    replicas: message.replicas.map(replicaFromProto),
    restarts: message.restarts,
    lastError: message.lastError === undefined ? null : exceptionFromProto(message.lastError),
    generation: message.generation,
    revision: Number(message.revision),
  };
}

/** An endpoint out of its message. */
export function endpointFromProto(source: PbEndpoint | undefined): Endpoint {
  const message = present(source, "endpoint");
  const spec = understood(endpointSpecFromProto(message.spec));
  return {
    name: spec.name,
    route: spec.route,
    methods: spec.methods,
    traffic: Object.fromEntries(spec.traffic.map(({ backend, weight }) => [backend, weight])),
    shadows: Object.fromEntries(spec.shadows.map(({ backend, proportion }) => [backend, proportion])),
    requestTimeoutMs: spec.requestTimeoutMs,
    maxBodyBytes: spec.maxBodyBytes,
    cors: spec.cors,
    affinity: spec.affinity,
    matches: spec.matches,
    previewHeader: spec.previewHeader,
    revision: Number(message.revision),
  };
}

/** The instance's status out of its message. */
export function statusFromProto(message: GetStatusResponse): InstanceStatus {
  const controller = present(message.controller, "controller");
  const backends = message.backends.map(backendFromProto);
  return {
    httpUrl: message.httpUrl,
    h2cUrl: message.h2cUrl === "" ? null : message.h2cUrl,
    httpsUrl: message.httpsUrl === "" ? null : message.httpsUrl,
    adminUrl: message.adminUrl,
    controller: {
      pid: controller.pid,
      state: "serving",
      version: controller.version,
      epoch: controller.epoch,
      revision: Number(controller.revision),
      startedAtMs: Number(controller.startedAtMs),
      memoryBytes: orNull(Number(controller.memoryBytes)),
    },
    bridges: message.bridges.map(bridgeFromProto),
    replicas: backends.flatMap(({ name, restarts, replicas }) => replicas.map((replica) => ({ ...replica, backend: name, restarts }))),
    backends,
    endpoints: message.endpoints.map(endpointFromProto),
  };
}

function replicaFromProto(message: PbReplica): ReplicaStatus {
  return {
    id: message.id,
    pid: orNull(message.pid),
    state: REPLICA_STATES[message.state],
    inFlight: message.inFlight,
    completed: Number(message.completed),
    generation: message.generation,
    startedAtMs: Number(message.startedAtMs),
    memoryBytes: orNull(Number(message.memoryBytes)),
  };
}

function bridgeFromProto(message: PbBridge): BridgeStatus {
  return {
    id: message.id,
    pid: orNull(message.pid),
    state: BRIDGE_STATES[message.state],
    sequence: String(message.sequence),
    inFlight: message.inFlight,
    restarts: message.restarts,
    memoryBytes: orNull(Number(message.memoryBytes)),
    shadowsCopied: Number(message.shadowsCopied),
    shadowsDropped: Number(message.shadowsDropped),
  };
}

function exceptionFromProto(message: Exception): UserException {
  return {
    name: message.name,
    message: message.message,
    file: message.file === "" ? null : message.file,
    line: orNull(message.line),
    stack: message.stack,
  };
}

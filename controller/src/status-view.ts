// What is asked for and what is seen, as the messages of the contract. No decisions.

import type { EndpointStatus } from "@headgate/proto/endpoint";
import * as pb from "@headgate/proto/backend";
import { BridgeStatus_State, type BridgeStatus } from "@headgate/proto/controller";
import { backendSpecToProto, endpointSpecToProto } from "@headgate/rpc";
import type { Bridges } from "./bridges.ts";
import type { Cluster } from "./cluster.ts";
import type { DesiredBackend, DesiredEndpoint } from "./model/desired.ts";
import type { Replica } from "./model/observed.ts";

/** A backend. */
export function backendStatus(cluster: Cluster, backend: DesiredBackend): pb.BackendStatus {
  const { spec, generation, revision } = backend;
  const notes = cluster.notes(spec.name);
  const replicas = cluster.pool.of(spec.name).sort((a, b) => a.startedAtMs - b.startedAtMs || (a.id < b.id ? -1 : 1));
  const { handler } = spec;
  return {
    spec: backendSpecToProto(spec),
    state: backendState(cluster, backend, replicas),
    acceptsBatches: notes.acceptsBatches || (handler.kind === "inline" && handler.acceptsBatches),
    replicas: replicas.map(replicaStatus),
    restarts: notes.restarts,
    lastError: notes.lastError ?? undefined,
    generation,
    revision: BigInt(revision),
  };
}

function backendState(
  cluster: Cluster,
  { spec, generation, rollout }: DesiredBackend,
  replicas: readonly Replica[],
): pb.BackendStatus_State {
  if (rollout.phase === "creating") return pb.BackendStatus_State.CREATING;
  if (rollout.phase === "updating") return pb.BackendStatus_State.UPDATING;
  const serving = replicas.filter((replica) => replica.state === "serving" && replica.generation === generation).length;
  if (serving === spec.config.numReplicas) return pb.BackendStatus_State.READY;
  return cluster.notes(spec.name).crash.failures > 1 ? pb.BackendStatus_State.DEGRADED : pb.BackendStatus_State.UPDATING;
}

const REPLICA_STATES = {
  launching: pb.ReplicaStatus_State.LAUNCHING,
  warming: pb.ReplicaStatus_State.WARMING,
  serving: pb.ReplicaStatus_State.SERVING,
  draining: pb.ReplicaStatus_State.DRAINING,
  gone: pb.ReplicaStatus_State.GONE,
} as const;

function replicaStatus(replica: Replica): pb.ReplicaStatus {
  const load = replica.state === "serving" || replica.state === "draining" ? replica.load : { inFlight: 0, completed: 0, memoryBytes: 0 };
  return {
    id: replica.id,
    pid: replica.pid,
    state: REPLICA_STATES[replica.state],
    inFlight: load.inFlight,
    completed: BigInt(load.completed),
    generation: replica.generation,
    startedAtMs: BigInt(replica.startedAtMs),
    memoryBytes: BigInt(load.memoryBytes),
  };
}

/** An endpoint. */
export function endpointStatus({ spec, revision }: DesiredEndpoint): EndpointStatus {
  return { spec: endpointSpecToProto(spec), revision: BigInt(revision) };
}

const BRIDGE_STATES = {
  launching: BridgeStatus_State.LAUNCHING,
  serving: BridgeStatus_State.SERVING,
  draining: BridgeStatus_State.DRAINING,
} as const;

/** The bridges. */
export function bridgeStatuses(bridges: Bridges, cluster: Cluster): BridgeStatus[] {
  return bridges.list.map((bridge) => ({
    id: bridge.id,
    pid: bridge.process?.pid ?? 0,
    state: BRIDGE_STATES[bridge.state],
    sequence: cluster.feed.acked(bridge.id),
    inFlight: bridge.inFlight,
    restarts: bridge.restarts,
    memoryBytes: BigInt(bridge.memoryBytes),
    shadowsCopied: bridge.shadows.copied,
    shadowsDropped: bridge.shadows.dropped,
  }));
}

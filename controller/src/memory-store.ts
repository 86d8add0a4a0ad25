// A store that is gone with its process: for tests.

import { LIMITS } from "@headgate/core";
import { type Desired, NOTHING_DESIRED } from "./model/desired.ts";
import type { BridgeRecord, RememberedRequest, ReplicaRecord, Store, Stored } from "./store.ts";

/** What outlives one opening. */
export interface Memory {
  epoch: string;
  incarnation: number;
  desired: Desired;
  readonly replicas: Map<string, ReplicaRecord>;
  readonly bridges: Map<string, BridgeRecord>;
  readonly requests: Map<string, RememberedRequest>;
}

/** An empty memory. */
export function newMemory(epoch: string): Memory {
  return { epoch, incarnation: 0, desired: NOTHING_DESIRED, replicas: new Map(), bridges: new Map(), requests: new Map() };
}

/** Opens a memory as a store. */
export function openMemoryStore(memory: Memory): Store {
  memory.incarnation++;
  const stored: Stored = {
    epoch: memory.epoch,
    incarnation: memory.incarnation,
    desired: memory.desired,
    replicas: [...memory.replicas.values()],
    bridges: [...memory.bridges.values()],
  };
  return {
    stored,
    commit: (_before, after) => {
      memory.desired = after;
    },
    putReplica: (record) => void memory.replicas.set(record.id, record),
    removeReplica: (id) => void memory.replicas.delete(id),
    putBridge: (record) => void memory.bridges.set(record.id, record),
    removeBridge: (id) => void memory.bridges.delete(id),
    request: (id) => memory.requests.get(id) ?? null,
    remember: (id, request) => {
      memory.requests.delete(id);
      memory.requests.set(id, request);
      for (const oldest of memory.requests.keys()) {
        if (memory.requests.size <= LIMITS.rememberedRequestIds) break;
        memory.requests.delete(oldest);
      }
    },
    [Symbol.dispose]: () => undefined,
  };
}

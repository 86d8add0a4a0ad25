// What is seen of one replica, as a union of states: each holds exactly what exists then. step() is the only way between. Pure.
// What should be done about it is plan.ts's matter.

import type { Fault, Transport } from "@headgate/core";

/** How busy a replica says it is. */
export interface Load {
  readonly inFlight: number;
  readonly completed: number;
  readonly memoryBytes: number;
}

/** What every replica has. */
interface Identity {
  readonly id: string;
  readonly backend: string;
  readonly generation: number;
  /** Where it serves ReplicaService; the controller decides it. */
  readonly address: string;
  readonly startedAtMs: number;
  /** 0 where unknown. */
  readonly pid: number;
}

/** One replica. */
export type Replica =
  /** Its process was started and has not registered yet. */
  | (Identity & { readonly state: "launching" })
  /** Registered; its handler is being constructed. */
  | (Identity & { readonly state: "warming" })
  /** Takes requests. */
  | (Identity & {
      readonly state: "serving";
      readonly transport: Transport;
      readonly acceptsBatches: boolean;
      readonly load: Load;
      /** Number of the last Configure that it has in force. */
      readonly configured: number;
    })
  /** In no table any more; finishes what it has. */
  | (Identity & {
      readonly state: "draining";
      readonly transport: Transport;
      readonly acceptsBatches: boolean;
      readonly load: Load;
      /** Whether it was told; it is told when no bridge sends to it any more. */
      readonly told: boolean;
      readonly drained: boolean;
      /** When it is ended whatever it has, in milliseconds since the Unix epoch. */
      readonly deadlineMs: number;
    })
  /** Its process has ended, or must. */
  | (Identity & {
      readonly state: "gone";
      /** Why, where it was not asked to. */
      readonly failure: Fault | null;
      /** Whether it had ever served. */
      readonly served: boolean;
    });

/** What can happen to a replica. */
export type ReplicaEvent =
  | { readonly kind: "registered"; readonly pid: number }
  | { readonly kind: "ready"; readonly transport: Transport; readonly acceptsBatches: boolean; readonly configured: number }
  | { readonly kind: "load"; readonly load: Load }
  | { readonly kind: "configured"; readonly number: number }
  | { readonly kind: "drain"; readonly deadlineMs: number }
  | { readonly kind: "toldToDrain" }
  | { readonly kind: "drained" }
  | { readonly kind: "gone"; readonly failure: Fault | null };

const NO_LOAD: Load = { inFlight: 0, completed: 0, memoryBytes: 0 };

/** A replica whose process was just started. */
export function launched(identity: Identity): Replica {
  return { ...identity, state: "launching" };
}

function identityOf({ id, backend, generation, address, startedAtMs, pid }: Replica): Identity {
  return { id, backend, generation, address, startedAtMs, pid };
}

/** What becomes of a replica. An event that makes no sense in its state changes nothing: late messages are normal. */
export function step(replica: Replica, event: ReplicaEvent): Replica {
  if (event.kind === "gone") {
    if (replica.state === "gone") return replica;
    return {
      ...identityOf(replica),
      state: "gone",
      failure: event.failure,
      served: replica.state === "serving" || replica.state === "draining",
    };
  }
  switch (replica.state) {
    case "launching":
      if (event.kind === "registered") return { ...identityOf(replica), state: "warming", pid: event.pid };
      return replica;
    case "warming":
      if (event.kind !== "ready") return replica;
      return {
        ...identityOf(replica),
        state: "serving",
        transport: event.transport,
        acceptsBatches: event.acceptsBatches,
        load: NO_LOAD,
        configured: event.configured,
      };
    case "serving":
      if (event.kind === "load") return { ...replica, load: event.load };
      if (event.kind === "configured") return { ...replica, configured: Math.max(replica.configured, event.number) };
      if (event.kind === "drain") {
        const { transport, acceptsBatches, load } = replica;
        return {
          ...identityOf(replica),
          state: "draining",
          transport,
          acceptsBatches,
          load,
          told: false,
          drained: false,
          deadlineMs: event.deadlineMs,
        };
      }
      return replica;
    case "draining":
      if (event.kind === "load") return { ...replica, load: event.load };
      if (event.kind === "toldToDrain") return { ...replica, told: true };
      if (event.kind === "drained") return { ...replica, drained: true };
      if (event.kind === "drain") return { ...replica, deadlineMs: Math.min(replica.deadlineMs, event.deadlineMs) };
      return replica;
    case "gone":
      return replica;
    default:
      return replica satisfies never;
  }
}

/** Whether a replica takes up room: its process runs or is being started. */
export function isAlive(replica: Replica): boolean {
  return replica.state !== "gone";
}

// What an instance says of itself, in the words of the domain: plain values, ready to be printed or compared.
// How these come out of proto messages stands in status-from-proto.ts.

import type { Affinity, BackendConfig, CorsPolicy, Handler, Json, MatchRule } from "@headgate/core";

/** An error thrown by the user's own code. */
export interface UserException {
  readonly name: string;
  readonly message: string;
  /** Where it was thrown; null where unknown. */
  readonly file: string | null;
  /** Line in that file, from 1; null where unknown. */
  readonly line: number | null;
  readonly stack: string;
}

/** One replica process. */
export interface ReplicaStatus {
  readonly id: string;
  /** Null where unknown. */
  readonly pid: number | null;
  readonly state: "launching" | "warming" | "serving" | "draining" | "gone";
  /** Requests it runs or holds now. */
  readonly inFlight: number;
  /** Requests it has finished since it started. */
  readonly completed: number;
  /** Which version of the backend it runs. */
  readonly generation: number;
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  /** Resident memory; null where unknown. */
  readonly memoryBytes: number | null;
}

/** A backend: what was asked for, every default filled in, and what is seen of it. */
export interface Backend extends BackendConfig {
  readonly name: string;
  readonly state: "creating" | "ready" | "updating" | "degraded";
  /** Whether its handler takes lists of requests. */
  readonly acceptsBatches: boolean;
  readonly handler: Handler;
  /** Constructor arguments. */
  readonly args: readonly Json[];
  readonly replicas: readonly ReplicaStatus[];
  /** Replicas that ended without having been asked to. */
  readonly restarts: number;
  /** The last error of the user's code while a replica started or was reconfigured; null: none. */
  readonly lastError: UserException | null;
  /** Grows by one with each change that needs new processes. */
  readonly generation: number;
  /** Revision of the desired state at which it was last changed. */
  readonly revision: number;
}

/** An endpoint, every default filled in. */
export interface Endpoint {
  readonly name: string;
  /** HTTP path pattern; null: headless. */
  readonly route: string | null;
  readonly methods: readonly string[];
  /** Weight by backend. */
  readonly traffic: Readonly<Record<string, number>>;
  /** Proportion by backend. */
  readonly shadows: Readonly<Record<string, number>>;
  /** Deadline of a request, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Largest request body, in bytes. */
  readonly maxBodyBytes: number;
  /** Which pages of other origins may call it; null: what the handler says. */
  readonly cors: CorsPolicy | null;
  /** Sticky users; null: none. */
  readonly affinity: Affinity | null;
  /** Rules before the split, in order. */
  readonly matches: readonly MatchRule[];
  /** Request field that names the backend to go to; null: none. */
  readonly previewHeader: string | null;
  /** Revision of the desired state at which it was last changed. */
  readonly revision: number;
}

/** One HTTP bridge process. */
export interface BridgeStatus {
  readonly id: string;
  /** Null where unknown. */
  readonly pid: number | null;
  readonly state: "launching" | "serving" | "draining";
  /** Sequence number of the routing table it runs. */
  readonly sequence: string;
  /** Requests it holds now. */
  readonly inFlight: number;
  /** Times it was started anew without having been asked to end. */
  readonly restarts: number;
  /** Resident memory; null where unknown. */
  readonly memoryBytes: number | null;
  /** Copies of requests that it has sent to shadows since it started. */
  readonly shadowsCopied: number;
  /** Copies that were due and not sent, or broken off to make room. */
  readonly shadowsDropped: number;
}

/** The controller itself. */
export interface ControllerStatus {
  readonly pid: number;
  readonly state: "serving";
  readonly version: string;
  /** Identity of the store. */
  readonly epoch: string;
  /** Number of the desired state now in force. */
  readonly revision: number;
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  /** Resident memory; null where unknown. */
  readonly memoryBytes: number | null;
}

/** The whole instance. */
export interface InstanceStatus {
  readonly httpUrl: string;
  /** Where HTTP/2 is served without TLS; null: it is not. */
  readonly h2cUrl: string | null;
  /** Where HTTP/1.1 and HTTP/2 are served over TLS; null: they are not. */
  readonly httpsUrl: string | null;
  readonly adminUrl: string;
  readonly controller: ControllerStatus;
  readonly bridges: readonly BridgeStatus[];
  /** All replicas; `restarts` is that of their backend. */
  readonly replicas: readonly (ReplicaStatus & { readonly backend: string; readonly restarts: number })[];
  /** Sorted by name. */
  readonly backends: readonly Backend[];
  /** Sorted by name. */
  readonly endpoints: readonly Endpoint[];
}

/** One line that a replica or bridge wrote. */
export interface LogLine {
  /** Id of the replica or bridge. */
  readonly source: string;
  readonly line: string;
}

// The routing table as it arrives, in domain types. Compiled for the request path in routing-table.ts.

import type { EndpointSpec, Transport } from "@headgate/core";

/** A replica that takes requests. */
export interface TableReplica {
  readonly id: string;
  /** "unix:PATH" or "HOST:PORT". */
  readonly address: string;
  readonly transport: Transport;
}

/** A backend as requests need it. */
export interface TableBackend {
  readonly name: string;
  readonly maxConcurrentQueries: number;
  readonly maxQueuedRequests: number;
  readonly replicas: readonly TableReplica[];
}

/** Where every request goes, at one revision. */
export interface RoutingTable {
  /** Identity of the store. */
  readonly epoch: string;
  /** Grows with each table of an epoch. */
  readonly sequence: bigint;
  readonly revision: bigint;
  readonly endpoints: readonly EndpointSpec[];
  readonly backends: readonly TableBackend[];
}

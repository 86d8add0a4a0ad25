// The feed of routing tables: numbers each new table, hands the newest one to every receiver, and knows which table each
// bridge runs. What a table says is model/routing.ts's matter; which bridges there are, bridges.ts's.

import type { RoutedReplica, WatchRoutingResponse } from "@headgate/proto/routing";
import { endpointSpecToProto } from "@headgate/rpc";
import type { RoutingView } from "./model/plan.ts";
import { type Projection, replicaIds } from "./model/routing.ts";
import { Outbox } from "./outbox.ts";

/** A table with its number. */
interface Numbered {
  readonly sequence: bigint;
  readonly revision: number;
  readonly ids: ReadonlySet<string>;
}

/** What a bridge is known to run. */
interface Receiver {
  /** Sequence of its table; null: it runs one that this controller does not know. */
  acked: bigint | null;
  /** Whether it has run any table: before, it serves nobody. */
  serves: boolean;
}

/** Feeds tables. */
export class RoutingFeed implements RoutingView {
  readonly #epoch: string;
  readonly #outboxes = new Set<Outbox<WatchRoutingResponse>>();
  readonly #receivers = new Map<string, Receiver>();
  readonly #onChange: () => void;
  #sequence: bigint;
  #shape = "";
  #message: WatchRoutingResponse | null = null;
  /** Tables that some bridge may still run, oldest first; the last is the newest. */
  #tables: Numbered[] = [];

  /** `incarnation` grows with each controller of a store, so that sequences do too. */
  constructor(epoch: string, incarnation: number, onChange: () => void) {
    this.#epoch = epoch;
    this.#sequence = BigInt(incarnation) << 32n;
    this.#onChange = onChange;
  }

  /** Whether there is a table yet. */
  get started(): boolean {
    return this.#message !== null;
  }

  /** Revision of the newest table. */
  get revision(): number {
    return this.#tables.at(-1)?.revision ?? -1;
  }

  /** Makes a projection the newest table, if it differs. */
  publish(projection: Projection): void {
    const shape = JSON.stringify(projection);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#sequence++;
    this.#tables.push({ sequence: this.#sequence, revision: projection.revision, ids: replicaIds(projection) });
    this.#message = {
      kind: {
        $case: "table",
        value: {
          epoch: this.#epoch,
          sequence: this.#sequence,
          revision: BigInt(projection.revision),
          endpoints: projection.endpoints.map(endpointSpecToProto),
          backends: projection.backends.map((backend) => ({ ...backend, replicas: backend.replicas.map(replicaToProto) })),
        },
      },
    };
    for (const outbox of this.#outboxes) outbox.push(this.#message);
    this.#forgetOld();
  }

  /** A new watch: an outbox that holds the newest table. */
  subscribe(): Outbox<WatchRoutingResponse> {
    const outbox = new Outbox<WatchRoutingResponse>({ newestOnly: true });
    this.#outboxes.add(outbox);
    if (this.#message !== null) outbox.push(this.#message);
    return outbox;
  }

  unsubscribe(outbox: Outbox<WatchRoutingResponse>): void {
    this.#outboxes.delete(outbox);
    outbox.close();
  }

  /** A bridge that is waited for from now on. `serves`: it was adopted and runs a table of before. */
  expect(bridgeId: string, serves: boolean): void {
    this.#receivers.set(bridgeId, { acked: null, serves });
  }

  /** A bridge whose process has ended. */
  forget(bridgeId: string): void {
    if (!this.#receivers.delete(bridgeId)) return;
    this.#forgetOld();
    this.#onChange();
  }

  /** A bridge runs a table. */
  ack(bridgeId: string, epoch: string, sequence: bigint): void {
    const receiver = this.#receivers.get(bridgeId);
    if (receiver === undefined || epoch !== this.#epoch) return;
    receiver.acked = sequence;
    receiver.serves = true;
    this.#forgetOld();
    this.#onChange();
  }

  /** Sequence that a bridge has acknowledged; 0: none. */
  acked(bridgeId: string): bigint {
    return this.#receivers.get(bridgeId)?.acked ?? 0n;
  }

  /** Whether every bridge that serves runs a table of this revision or a later one. */
  atRevision(revision: number): boolean {
    const table = this.#tables.find((one) => one.revision >= revision);
    if (table === undefined) return false;
    return this.#lagging(table.sequence).length === 0;
  }

  /** Bridges that serve and have not acknowledged the newest table. */
  get silent(): readonly string[] {
    return this.#lagging(this.#sequence);
  }

  inForce(id: string): boolean {
    const serving = [...this.#receivers.values()].filter((receiver) => receiver.serves);
    return serving.every(({ acked }) => acked !== null && this.#tables.some((table) => table.sequence === acked && table.ids.has(id)));
  }

  mayBeSentTo(id: string): boolean {
    if (this.#tables.at(-1)?.ids.has(id) === true) return true;
    for (const { acked, serves } of this.#receivers.values()) {
      if (!serves) continue;
      if (acked === null) return true;
      // Any table from the one it runs on may be in force there in this moment.
      if (this.#tables.some((table) => table.sequence >= acked && table.ids.has(id))) return true;
    }
    return false;
  }

  #lagging(sequence: bigint): string[] {
    const lagging: string[] = [];
    for (const [id, { acked, serves }] of this.#receivers) if (serves && (acked === null || acked < sequence)) lagging.push(id);
    return lagging;
  }

  /** Tables before the oldest one that is in force are of no use; nor are a thousand of them. */
  #forgetOld(): void {
    let oldest = this.#sequence;
    for (const { acked } of this.#receivers.values()) {
      // Any table may be on its way to one that has acknowledged none.
      if (acked === null) oldest = 0n;
      else if (acked < oldest) oldest = acked;
    }
    this.#tables = this.#tables.filter((table) => table.sequence >= oldest).slice(-1_000);
  }
}

function replicaToProto({ id, address, transport }: Projection["backends"][number]["replicas"][number]): RoutedReplica {
  return { id, address, session: transport !== "unary", direct: transport === "direct" };
}

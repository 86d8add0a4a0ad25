// One replica as this process sees it: its link, made anew with back-off while the replica is in the table, and how busy it is.
// Out of the picker the moment its connection closes; no health checks, no queue.

import type { Fault } from "@headgate/core";
import type { Call } from "./call.ts";
import type { Link } from "./link.ts";
import type { Candidate } from "./model/picker.ts";
import type { TableReplica } from "./model/table.ts";
import { Session } from "./session.ts";
import { UnaryLink } from "./unary-link.ts";

const RECONNECT_MIN_MS = 20;
const RECONNECT_MAX_MS = 1_000;
/** How long a replica that said "busy" is left alone: about the time in which one of its requests may end. */
const BUSY_PAUSE_MS = 5;

/** Weight of the newest message in the running mean of answers a message. */
const SLACK_WEIGHT = 0.1;

/** What a replica tells its backend. */
export interface ReplicaEvents {
  /** A call could be sent now: the link opened, a call ended, or a pause is over. */
  available(): void;
  /** The call has its whole answer, or the last piece of it comes right after this. */
  finished(call: Call): void;
  /** The replica did not take the call: another should. */
  refused(call: Call): void;
  /** The replica gave a fault as the answer, or in the middle of one. */
  failed(call: Call, fault: Fault): void;
  /** The connection was lost with the call on it. */
  lost(call: Call): void;
}

/** A replica that calls can be sent to. */
export class LiveReplica implements Candidate {
  readonly id: string;
  readonly address: string;
  readonly #session: boolean;
  readonly #events: ReplicaEvents;
  inFlight = 0;
  /** Whether a call can be sent now. */
  open = false;
  /** How many answers come in one message, as a running mean. */
  slack = 1;
  link: Link | null = null;
  #backoffMs = RECONNECT_MIN_MS;
  #timer: NodeJS.Timeout | null = null;
  #leaving = false;
  #draining = false;

  constructor(replica: TableReplica, events: ReplicaEvents) {
    this.id = replica.id;
    this.address = replica.address;
    this.#session = replica.session;
    this.#events = events;
    this.#connect();
  }

  /** Sends a call. */
  start(call: Call): void {
    call.replica = this;
    this.inFlight++;
    this.link?.start(call);
  }

  /** Ends a call without an answer. */
  cancel(call: Call): void {
    this.inFlight--;
    this.link?.cancel(call);
    this.#settled();
  }

  /** It is in no table any more: takes nothing new, and its link closes with its last call. */
  leave(): void {
    this.#leaving = true;
    this.open = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#settled();
  }

  /** Ends at once. */
  close(): void {
    this.leave();
    this.link?.close();
  }

  #connect(): void {
    this.#timer = null;
    if (this.#leaving) return;
    const events = {
      opened: () => this.#opened(),
      finished: (call: Call) => this.#finished(call),
      failed: (call: Call, failure: Fault) => this.#failed(call, failure),
      answered: (calls: number) => {
        this.slack += (calls - this.slack) * SLACK_WEIGHT;
      },
      draining: () => {
        this.#draining = true;
        this.open = false;
      },
      ended: (lost: readonly Call[]) => this.#ended(lost),
    };
    this.link = this.#session ? new Session(this.address, events) : new UnaryLink(this.address, events);
  }

  #opened(): void {
    this.#backoffMs = RECONNECT_MIN_MS;
    if (this.#leaving || this.#draining) return;
    this.open = true;
    this.#events.available();
  }

  #finished(call: Call): void {
    this.inFlight--;
    this.#events.finished(call);
    this.#settled();
  }

  #settled(): void {
    if (this.#leaving) {
      if (this.inFlight === 0) this.link?.close();
      return;
    }
    this.#events.available();
  }

  #failed(call: Call, failure: Fault): void {
    this.inFlight--;
    if (failure.code === "replica_busy" && !call.answered) this.#pause();
    else if (failure.code === "draining" && !call.answered) {
      this.#draining = true;
      this.open = false;
    } else {
      this.#events.failed(call, failure);
      this.#settled();
      return;
    }
    this.#events.refused(call);
    this.#settled();
  }

  #pause(): void {
    this.open = false;
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#leaving || this.#draining || this.link === null) return;
      this.open = true;
      this.#events.available();
    }, BUSY_PAUSE_MS);
  }

  #ended(lost: readonly Call[]): void {
    this.open = false;
    this.link = null;
    this.inFlight = 0;
    this.#draining = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#leaving) {
      this.#timer = setTimeout(() => this.#connect(), this.#backoffMs);
      this.#backoffMs = Math.min(this.#backoffMs * 2, RECONNECT_MAX_MS);
    }
    for (const call of lost) this.#events.lost(call);
  }
}

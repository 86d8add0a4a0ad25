// One replica as this process sees it: its link, made anew with back-off while the replica is in the table, how busy it is, and
// whether it is given requests. Out of the picker the moment its connection closes. No queue, and no choice between replicas.

import { type Fault, LIMITS, type Transport } from "@headgate/core";
import type { Call } from "./call.ts";
import type { Link, LinkEvents } from "./link.ts";
import { HEALTHY, type Health, type HealthEvent, isIn, nextHealth } from "./model/health.ts";
import type { Candidate } from "./model/picker.ts";
import type { TableReplica } from "./model/table.ts";
import { Session } from "./session.ts";
import { UnaryLink } from "./unary-link.ts";

const RECONNECT_MIN_MS = 20;
const RECONNECT_MAX_MS = 1_000;
/** How long a new replica is waited for that can neither be connected to nor refuses, in milliseconds. */
const FIRST_TRY_MS = 2_000;
/** How long a replica that said "busy" and gives no room is left alone: at first about as long as a short request runs. */
const BUSY_MIN_MS = 5;
const BUSY_MAX_MS = 200;
/** How long one that said "draining" is left alone. It leaves the table meanwhile, unless it says what is not so. */
const DRAINING_MS = 1_000;
/** How often a replica's health is looked at, in milliseconds. */
export const LOOK_MS = 250;
/** Looks without a word after which a ping is sent, and after which nothing more is expected. */
const LOOKS_TO_PING = 2;
const LOOKS_TO_SILENCE = Math.round(LIMITS.replicaSilenceMs / LOOK_MS);

/** Weight of the newest message in the running mean of answers a message. */
const SLACK_WEIGHT = 0.1;

/** What a replica tells its backend. */
export interface ReplicaEvents {
  /** It takes calls from now on. */
  opened(): void;
  /** A call could be sent now: a call ended, or there is room for more. */
  available(): void;
  /** Whether any call waits for a replica. */
  isWaitedFor(): boolean;
  /** Whether another replica is given requests. */
  hasOther(than: LiveReplica): boolean;
  /** The call has its whole answer, or the last piece of it comes right after this. */
  finished(call: Call): void;
  /** The replica did not take the call: another should. */
  refused(call: Call): void;
  /** The replica gave a fault as the answer, or in the middle of one. */
  failed(call: Call, fault: Fault): void;
  /** The connection was lost with the call on it; `broken`: because the replica broke the contract. */
  lost(call: Call, broken: boolean): void;
}

/** A replica that calls can be sent to. */
export class LiveReplica implements Candidate, LinkEvents {
  readonly id: string;
  readonly address: string;
  readonly #transport: Transport;
  readonly #events: ReplicaEvents;
  inFlight = 0;
  most: number;
  open = false;
  /** How many answers come in one message, as a running mean. */
  slack = 1;
  link: Link | null = null;
  readonly #firstTry = Promise.withResolvers<void>();
  /** The backend's setting. */
  #limit: number;
  #linked = false;
  #leaving = false;
  /** Whether it is left alone for a while. */
  #paused = false;
  /** Whether it is given nothing until it has read what it was given. */
  unread = false;
  /** Whether it was busy: it gets no more at a time than it took, until it gives room. */
  #inLine = false;
  #health: Health = HEALTHY;
  /** Whether it has said anything since the last look, and at how many looks in a row it had not. */
  #heard = false;
  #unheardLooks = 0;
  #reconnectMs = RECONNECT_MIN_MS;
  #busyMs = BUSY_MIN_MS;
  /** By how many calls it is tried with more next. */
  #growth = 1;
  #timer: NodeJS.Timeout | null = null;
  #lineTimer: NodeJS.Timeout | null = null;

  /** `limit`: how many requests it runs at a time. */
  constructor(replica: TableReplica, limit: number, events: ReplicaEvents) {
    this.id = replica.id;
    this.address = replica.address;
    this.#transport = replica.transport;
    this.#limit = limit;
    this.most = limit;
    this.#events = events;
    const timer = setTimeout(this.#firstTry.resolve, FIRST_TRY_MS).unref();
    void this.tried.then(() => clearTimeout(timer));
    this.#connect();
  }

  /** The setting has changed. */
  limitTo(limit: number): void {
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.most = limit;
  }

  /** Resolves when the first try to reach it is over, well or not, or has taken FIRST_TRY_MS. */
  get tried(): Promise<void> {
    return this.#firstTry.promise;
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

  /** A deadline passed on it, as one of its backend's that has given so many answers. */
  expired(answers: number, now: number): void {
    this.#step({ kind: "expired", answers, siblings: this.#events.hasOther(this) }, now);
  }

  /** To be called every LOOK_MS while anything is in flight. */
  look(now: number): void {
    if (this.#health.state === "out") this.#step({ kind: "looked" }, now);
    if (this.#heard || this.inFlight === 0) {
      this.#heard = false;
      this.#unheardLooks = 0;
      return;
    }
    this.#unheardLooks++;
    if (this.#unheardLooks === LOOKS_TO_PING) this.link?.ping();
    if (this.#unheardLooks >= LOOKS_TO_SILENCE && this.link?.answersPings === true) {
      this.#step({ kind: "unheard", siblings: this.#events.hasOther(this) }, now);
    }
  }

  /** No other replica is given requests: this one is, whatever is known of it. */
  readmit(now: number): void {
    this.#step({ kind: "alone" }, now);
  }

  /** It is in no table any more: takes nothing new, and its link closes with its last call. */
  leave(): void {
    this.#leaving = true;
    this.open = false;
    this.#stopTimers();
    this.#settled();
    this.#firstTry.resolve();
  }

  /** Ends at once. */
  close(): void {
    this.leave();
    this.link?.close();
  }

  // --- what the link tells ---

  opened(): void {
    this.#linked = true;
    this.#reopen();
    this.#firstTry.resolve();
  }

  finished(call: Call): void {
    this.inFlight--;
    this.#reconnectMs = RECONNECT_MIN_MS;
    if (this.#health !== HEALTHY) this.#step({ kind: "answered" }, performance.now());
    this.#events.finished(call);
    this.#settled();
  }

  failed(call: Call, failure: Fault): void {
    const refused = !call.answered && (failure.code === "replica_busy" || failure.code === "draining");
    this.inFlight--;
    if (refused) {
      if (failure.code === "replica_busy") this.#standInLine();
      else this.draining();
      this.#events.refused(call);
    } else {
      if (this.#health !== HEALTHY) this.#step({ kind: "answered" }, performance.now());
      this.#events.failed(call, failure);
    }
    this.#settled();
  }

  answered(calls: number): void {
    this.slack += (calls - this.slack) * SLACK_WEIGHT;
  }

  heard(): void {
    this.#heard = true;
    if (this.#health.state === "silent") this.#step({ kind: "heard" }, performance.now());
  }

  draining(): void {
    if (this.#paused || this.#leaving) return;
    this.#paused = true;
    this.open = false;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#paused = false;
      this.#reopen();
    }, DRAINING_MS);
  }

  full(): void {
    this.unread = true;
    this.open = false;
  }

  writable(): void {
    if (!this.unread) return;
    this.unread = false;
    this.#reopen();
  }

  room(places: number): void {
    this.#leaveLine();
    // One that gives room will do so again.
    this.#busyMs = BUSY_MAX_MS;
    this.most = Math.min(this.#limit, this.most + places);
    this.#events.available();
    const more = this.open && this.inFlight >= this.most && this.#events.isWaitedFor();
    if (more) this.#standInLine();
    else this.most = this.#limit;
    this.link?.answerRoom(more);
  }

  lost(call: Call): void {
    this.inFlight--;
    this.#events.lost(call, false);
    this.#settled();
  }

  ended(lost: readonly Call[], broken: boolean): void {
    this.open = false;
    this.link = null;
    this.inFlight = 0;
    this.#linked = false;
    this.#paused = false;
    this.unread = false;
    this.#health = HEALTHY;
    this.#stopTimers();
    this.#busyMs = BUSY_MIN_MS;
    this.most = this.#limit;
    if (!this.#leaving) {
      this.#timer = setTimeout(() => this.#connect(), this.#reconnectMs);
      this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MAX_MS);
    }
    for (const call of lost) this.#events.lost(call, broken);
    this.#firstTry.resolve();
  }

  // --- inside ---

  #connect(): void {
    this.#timer = null;
    if (this.#leaving) return;
    const transport = this.#transport;
    this.link = transport === "unary" ? new UnaryLink(this.address, this) : new Session(this.address, transport === "direct", this);
  }

  #reopen(): void {
    this.open = this.#linked && !this.#leaving && !this.#paused && !this.unread && isIn(this.#health);
    if (this.open) this.#events.opened();
  }

  /** A call has ended, one way or another. */
  #settled(): void {
    if (this.#leaving) {
      if (this.inFlight === 0) this.link?.close();
      return;
    }
    if (this.most !== this.#limit) this.#adapt();
    this.#events.available();
  }

  /** A place has become free: who does not stand in line tries whether there is room for one more than before. */
  #adapt(): void {
    if (!this.#inLine && this.#health.state !== "trial") this.most = Math.min(this.#limit, this.most + 1);
  }

  #standInLine(): void {
    this.#inLine = true;
    this.#growth = 1;
    this.most = Math.min(this.most, this.inFlight);
    this.#growLater();
  }

  /** Where neither room is given nor a call ends, it is tried with one more after a while, then with two more, four, and so on. */
  #growLater(): void {
    if (this.#lineTimer !== null) return;
    this.#lineTimer = setTimeout(() => {
      this.#leaveLine();
      this.most = Math.min(this.#limit, this.most + this.#growth);
      this.#growth *= 2;
      this.#events.available();
      if (this.most < this.#limit) this.#growLater();
    }, this.#busyMs);
    this.#busyMs = Math.min(this.#busyMs * 2, BUSY_MAX_MS);
  }

  #leaveLine(): void {
    this.#inLine = false;
    if (this.#lineTimer !== null) clearTimeout(this.#lineTimer);
    this.#lineTimer = null;
  }

  #step(event: HealthEvent, now: number): void {
    const before = this.#health;
    this.#health = nextHealth(before, event, now);
    if (this.#health.state === before.state) return;
    if (!this.#inLine) this.most = this.#health.state === "trial" ? Math.min(this.#limit, this.inFlight + 1) : this.#limit;
    this.#reopen();
  }

  #stopTimers(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#leaveLine();
  }
}

// One backend as this process sees it: its replicas, the bounded queue before them, and one safe retry.
// Which backend a request goes to is decided above (router.ts); how a replica is reached, below (live-replica.ts).

import { LIMITS, type Fault, fault } from "@headgate/core";
import type { Call } from "./call.ts";
import { CallQueue } from "./call-queue.ts";
import { LiveReplica, type ReplicaEvents } from "./live-replica.ts";
import { keepsGathering, pickReplica } from "./model/picker.ts";
import { FULL_BUDGET, deposit, mayRetry, withdraw } from "./model/retry.ts";
import type { TableBackend } from "./model/table.ts";

/** How often a call may be refused by busy replicas before it counts as overload. */
const MOST_REFUSALS = 100;

/** A backend that calls can be sent to. */
export class LiveBackend implements ReplicaEvents {
  readonly name: string;
  #table: TableBackend;
  #replicas: LiveReplica[] = [];
  readonly #queue = new CallQueue();
  #gathering: LiveReplica | null = null;
  #budget = FULL_BUDGET;
  #dispatches = 0;
  #draining = false;
  readonly #random: () => number;

  constructor(table: TableBackend, random: () => number) {
    this.name = table.name;
    this.#table = table;
    this.#random = random;
    this.update(table);
  }

  /** How many calls wait here. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Takes what a newer table says of this backend. */
  update(table: TableBackend): void {
    this.#table = table;
    const wanted = new Map(table.replicas.map((replica) => [replica.id, replica]));
    const kept: LiveReplica[] = [];
    for (const replica of this.#replicas) {
      if (wanted.get(replica.id)?.address === replica.address) {
        kept.push(replica);
        wanted.delete(replica.id);
      } else replica.leave();
    }
    for (const replica of wanted.values()) kept.push(new LiveReplica(replica, this));
    this.#replicas = kept;
    this.available();
  }

  /** Sends a call, or queues it, or answers it with a fault. */
  dispatch(call: Call): void {
    call.backend = this;
    this.#dispatches++;
    if (this.#queue.size > 0 || !this.#tryStart(call, null)) this.#enqueue(call);
  }

  /** Ends a call for a reason of the caller's: it left, or its deadline passed. The sink hears nothing. */
  abandon(call: Call): void {
    if (call.state === "queued") this.#queue.remove(call);
    const running = call.state === "sent";
    call.state = "done";
    if (running) call.replica?.cancel(call);
  }

  /** Calls whose deadline has passed, and those that waited too long for a first replica, get their fault. */
  sweep(now: number): void {
    for (const replica of this.#replicas) this.#sweepReplica(replica, now);
    for (const call of this.#queue.calls()) {
      if (call.deadline <= now) this.#expire(call);
      else if (!this.#replicas.some((replica) => replica.open) && now - call.queuedAt >= LIMITS.replicaWaitMs) {
        this.abandon(call);
        call.sink.fault(fault("no_replica", `backend "${this.name}" has no replica that takes requests`, { backend: this.name }, 1000));
      }
    }
  }

  /** Calls that run or wait. */
  get inFlight(): number {
    return this.#replicas.reduce((sum, replica) => sum + replica.inFlight, this.#queue.size);
  }

  /** It is in no table any more: what waits is refused, what runs goes on to its end. */
  leave(): void {
    this.#draining = true;
    for (const call of this.#queue.calls()) {
      this.abandon(call);
      call.sink.fault(fault("no_replica", `backend "${this.name}" was removed`, { backend: this.name }));
    }
    for (const replica of this.#replicas) replica.leave();
  }

  /** Ends every link at once. */
  close(): void {
    for (const replica of this.#replicas) replica.close();
  }

  // --- what replicas tell ---

  available(): void {
    while (this.#queue.size > 0) {
      const call = this.#queue.first();
      if (call === null || !this.#tryStart(call, null)) return;
    }
  }

  refused(call: Call): void {
    if (call.state !== "sent") return;
    call.state = "new";
    call.refusals++;
    if (call.refusals > MOST_REFUSALS) {
      this.#refuse(call, "replica_busy", `every replica of backend "${this.name}" runs its maxConcurrentQueries`);
      return;
    }
    if (!call.replayable) {
      this.#refuse(call, "replica_busy", "the replica became busy while the request's body was on its way");
      return;
    }
    if (!this.#tryStart(call, call.replica)) this.#queueFirst(call);
  }

  failed(call: Call, failure: Fault): void {
    if (call.state !== "sent") return;
    call.state = "done";
    call.sink.fault(failure);
  }

  lost(call: Call): void {
    if (call.state !== "sent") return;
    call.state = "new";
    this.#budget = deposit(this.#budget, this.#dispatches, LIMITS.retryBudgetPercent);
    this.#dispatches = 0;
    if (mayRetry({ method: call.method, sent: call.sent, replayable: call.replayable, answered: call.answered, retries: call.retries })) {
      const left = withdraw(this.#budget);
      if (left !== null && !this.#draining) {
        this.#budget = left;
        call.retries++;
        if (!this.#tryStart(call, call.replica)) this.#queueFirst(call);
        return;
      }
    }
    call.state = "done";
    call.sink.fault(
      fault("replica_lost", `the replica was lost before it had answered; the request ${call.sent ? "may have run" : "was not sent"}`, {
        backend: this.name,
        mayHaveRun: String(call.sent),
      }),
    );
  }

  // --- inside ---

  #tryStart(call: Call, avoid: LiveReplica | null): boolean {
    const index = pickReplica(this.#replicas, this.#table.maxConcurrentQueries, this.#random(), avoid);
    const chosen = this.#replicas[index];
    if (chosen === undefined) return false;
    const replica = this.#gather(chosen, avoid);
    if (call.state === "queued") this.#queue.remove(call);
    call.state = "sent";
    call.timeoutMs = Math.max(1, Math.round(call.deadline - performance.now()));
    replica.start(call);
    return true;
  }

  /** The replica that this turn's requests are gathered for, as long as the others are not much less busy. */
  #gather(chosen: LiveReplica, avoid: LiveReplica | null): LiveReplica {
    const current = this.#gathering;
    if (
      current !== null &&
      current !== avoid &&
      current.link?.gathering === true &&
      keepsGathering(current, chosen, this.#table.maxConcurrentQueries, current.slack)
    ) {
      return current;
    }
    this.#gathering = chosen;
    return chosen;
  }

  #enqueue(call: Call): void {
    if (this.#draining) {
      this.#refuse(call, "no_replica", `backend "${this.name}" was removed`);
      return;
    }
    if (this.#queue.size >= this.#table.maxQueuedRequests) {
      call.state = "done";
      call.sink.fault(
        fault(
          "queue_full",
          `backend "${this.name}" has ${this.#queue.size} requests waiting, its limit maxQueuedRequests`,
          { backend: this.name, limit: "maxQueuedRequests" },
          1000,
        ),
      );
      return;
    }
    call.state = "queued";
    call.queuedAt = performance.now();
    this.#queue.push(call);
  }

  /** Back to the head of the queue: it has waited already. */
  #queueFirst(call: Call): void {
    call.state = "queued";
    call.queuedAt = performance.now();
    this.#queue.unshift(call);
  }

  #refuse(call: Call, code: "replica_busy" | "no_replica", message: string): void {
    call.state = "done";
    call.sink.fault(fault(code, message, { backend: this.name }, 1000));
  }

  #sweepReplica(replica: LiveReplica, now: number): void {
    const { link } = replica;
    if (link === null || replica.inFlight === 0) return;
    for (const call of link.calls()) if (call.deadline <= now) this.#expire(call);
  }

  #expire(call: Call): void {
    const where = call.state === "queued" ? "while it waited for a replica" : "before the handler answered";
    this.abandon(call);
    call.sink.fault(
      fault("deadline_exceeded", `the request's deadline passed ${where}`, { backend: this.name, limit: "requestTimeoutMs" }),
    );
  }
}

// One backend as this process sees it: its replicas, those who wait for one, and one safe retry.
// Which backend a request goes to is decided above (router.ts); how a replica is reached, below (live-replica.ts).

import { LIMITS, type Fault, fault } from "@headgate/core";
import type { Call } from "./call.ts";
import { LOOK_MS, LiveReplica, type ReplicaEvents } from "./live-replica.ts";
import type { DeadlineWheel } from "./model/deadlines.ts";
import { keepsGathering, pickReplica } from "./model/picker.ts";
import { FULL_BUDGET, deposit, mayRetry, withdraw } from "./model/retry.ts";
import type { TableBackend } from "./model/table.ts";
import { expired, lostWithReplica } from "./replica-words.ts";
import { WaitingRoom, type Work } from "./waiting-room.ts";

/** A deadline that leaves less than this is too short to say anything of the replica that it passed on, in milliseconds. */
const STRIKE_MIN_MS = 100;

/** A backend that calls can be sent to. */
export class LiveBackend implements ReplicaEvents, Work {
  readonly name: string;
  /** Calls that its replicas have answered, and those that their callers have taken back from them. */
  #answers = 0;
  #left = 0;
  #table: TableBackend;
  #replicas: LiveReplica[] = [];
  readonly #waiting: WaitingRoom;
  readonly #deadlines: DeadlineWheel<Call>;
  #gathering: LiveReplica | null = null;
  #budget = FULL_BUDGET;
  #dispatches = 0;
  #order = 0;
  #lookAt = 0;
  #draining = false;
  #asleep: boolean;
  readonly #random: () => number;

  /**
   * `deadlines` are those of all backends; whoever looks at them tells expire(). `random` gives numbers in [0, 1). `asleep`: its replicas
   * are connected to with the first call.
   */
  constructor(table: TableBackend, deadlines: DeadlineWheel<Call>, random: () => number, asleep: boolean) {
    this.name = table.name;
    this.#asleep = asleep;
    this.#table = table;
    this.#deadlines = deadlines;
    this.#random = random;
    this.#waiting = new WaitingRoom(this, random);
    this.update(table);
  }

  get done(): number {
    return this.#answers + this.#left;
  }

  get running(): number {
    return this.#replicas.reduce((sum, replica) => sum + replica.inFlight, 0);
  }

  get openReplicas(): number {
    // One that has to read first is there, as one is that runs all it may.
    return this.#replicas.reduce((sum, replica) => sum + (replica.open || replica.unread ? 1 : 0), 0);
  }

  /** Resolves when each of its replicas has been tried to be reached, or has not answered in time. */
  async tried(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.tried));
  }

  /** Takes what a newer table says of this backend. */
  update(table: TableBackend): void {
    this.#table = table;
    if (this.#asleep) return;
    const { maxConcurrentQueries } = table;
    const wanted = new Map(table.replicas.map((replica) => [replica.id, replica]));
    const kept: LiveReplica[] = [];
    for (const replica of this.#replicas) {
      if (wanted.get(replica.id)?.address === replica.address) {
        replica.limitTo(maxConcurrentQueries);
        kept.push(replica);
        wanted.delete(replica.id);
      } else replica.leave();
    }
    for (const replica of wanted.values()) kept.push(new LiveReplica(replica, maxConcurrentQueries, this));
    this.#replicas = kept;
    this.available();
  }

  /** Sends a call, or lets it wait, or answers it with a fault. */
  dispatch(call: Call): void {
    if (this.#asleep) this.#awake();
    call.backend = this;
    call.order = this.#order = (this.#order + 1) | 0;
    this.#dispatches++;
    this.#deadlines.add(call);
    if (this.#waiting.size > 0 || !this.#tryStart(call, null)) this.#enqueue(call);
  }

  /**
   * Starts a copy for a shadow where nothing waits and less than half of the room is taken, so that requests find room beside
   * copies whatever those do. False: it is not taken.
   */
  offer(copy: Call): boolean {
    if (this.#asleep) this.#awake();
    if (this.#draining || this.#waiting.size > 0) return false;
    if (this.running >= this.openReplicas * Math.ceil(this.#table.maxConcurrentQueries / 2)) return false;
    copy.backend = this;
    this.#deadlines.add(copy);
    if (this.#tryStart(copy, null)) return true;
    this.#deadlines.remove(copy);
    return false;
  }

  /** Ends a call for a reason of the caller's: it left. The sink hears nothing. */
  abandon(call: Call): void {
    if (this.#takeBack(call)) this.#left++;
  }

  /** Ends a call whose deadline has passed. */
  expire(call: Call, now: number): void {
    const { replica, sent } = call;
    const running = call.state === "sent";
    if (!running && call.state !== "queued") return;
    this.#takeBack(call);
    if (running && call.timeoutMs >= STRIKE_MIN_MS) replica?.expired(this.#answers, now);
    call.sink.fault(expired(this.name, running, sent));
  }

  /** To be called every now and then while anything is in flight. */
  look(now: number): void {
    if (this.#waiting.size > 0) this.#shed(now);
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_MS;
    for (const replica of this.#replicas) replica.look(now);
    if (this.openReplicas === 0) for (const replica of this.#replicas) replica.readmit(now);
    if (this.#waiting.size === 0) return;
    for (const call of this.#waiting.look(now)) {
      this.#takeBack(call);
      call.sink.fault(this.#waiting.forsaken(call, now));
    }
  }

  /** Calls that run or wait. */
  get inFlight(): number {
    return this.running + this.#waiting.size;
  }

  /** It is in no table any more: what was sent here before goes on to its end, also what still waits. To be called until nothing is in flight. */
  leave(): void {
    this.#draining = true;
    if (this.#waiting.size === 0) for (const replica of this.#replicas) replica.leave();
  }

  /** Ends every link at once; what waits is refused. */
  close(): void {
    for (const call of this.#waiting.calls()) {
      this.#takeBack(call);
      this.#refuse(call, "no_replica", `backend "${this.name}" was removed`);
    }
    for (const replica of this.#replicas) replica.close();
  }

  // --- what replicas tell ---

  opened(): void {
    this.#waiting.reached();
    this.available();
  }

  available(): void {
    while (this.#waiting.size > 0) {
      const call = this.#waiting.first();
      if (call === null) return;
      const now = performance.now();
      if (this.#waiting.isTooLate(call, now)) this.#refuseLate(call, now);
      else if (!this.#tryStart(call, null)) return;
    }
  }

  isWaitedFor(): boolean {
    return this.#waiting.size > 0;
  }

  hasOther(than: LiveReplica): boolean {
    return this.#replicas.some((replica) => replica !== than && replica.open);
  }

  finished(call: Call): void {
    call.state = "done";
    this.#deadlines.remove(call);
    this.#answers++;
    if (this.#waiting.size > 0) this.#waiting.served(call, performance.now());
  }

  refused(call: Call): void {
    if (call.state !== "sent") return;
    call.state = "new";
    // It did not run there; where an attempt before it was lost, it may have run all the same.
    if (call.retries === 0) call.sent = false;
    // A copy never waits.
    if (!call.replayable || call.shadow) {
      this.#refuse(call, "replica_busy", "the replica became busy while the request was on its way");
      return;
    }
    this.#again(call);
  }

  failed(call: Call, failure: Fault): void {
    if (call.state !== "sent") return;
    this.finished(call);
    call.sink.fault(failure);
  }

  lost(call: Call, broken: boolean): void {
    if (call.state !== "sent") return;
    call.state = "new";
    this.#budget = deposit(this.#budget, this.#dispatches, LIMITS.retryBudgetPercent);
    this.#dispatches = 0;
    // A copy is not worth a retry.
    if (!call.shadow && mayRetry(call)) {
      const left = withdraw(this.#budget);
      if (left !== null && !this.#draining) {
        this.#budget = left;
        call.retries++;
        this.#again(call);
        return;
      }
    }
    this.#end(call, lostWithReplica(this.name, call.sent, broken));
  }

  // --- inside ---

  #awake(): void {
    this.#asleep = false;
    this.update(this.#table);
  }

  /** Sends a call anew, elsewhere if it can be. */
  #again(call: Call): void {
    if (call.held !== null) {
      call.pieces = [...call.held, ...call.pieces];
      call.held = null;
    }
    if (!this.#tryStart(call, call.replica)) this.#waiting.enter(call, performance.now());
  }

  #tryStart(call: Call, avoid: LiveReplica | null): boolean {
    const index = pickReplica(this.#replicas, this.#random(), avoid);
    const chosen = this.#replicas[index];
    if (chosen === undefined) return false;
    const replica = this.#gather(chosen, avoid);
    const now = performance.now();
    if (call.state === "queued") this.#waiting.leave(call, now);
    call.state = "sent";
    call.timeoutMs = Math.max(1, Math.round(call.deadline - now));
    replica.start(call);
    return true;
  }

  /** The replica that this turn's requests are gathered for, as long as the others are not much less busy. */
  #gather(chosen: LiveReplica, avoid: LiveReplica | null): LiveReplica {
    const current = this.#gathering;
    if (current !== null && current !== avoid && current.link?.gathering === true && keepsGathering(current, chosen, current.slack)) {
      return current;
    }
    this.#gathering = chosen;
    return chosen;
  }

  /** Ends those who wait in vain, the last ones first, as long as that is known. */
  #shed(now: number): void {
    this.#waiting.measure(now);
    for (let call = this.#waiting.surplus(now); call !== null; call = this.#waiting.surplus(now)) this.#refuseLate(call, now);
  }

  #refuseLate(call: Call, now: number): void {
    const failure = this.#waiting.unreachable(call, now);
    this.#takeBack(call);
    call.sink.fault(failure);
  }

  #enqueue(call: Call): void {
    if (this.#draining) {
      this.#refuse(call, "no_replica", `backend "${this.name}" was removed`);
      return;
    }
    const now = performance.now();
    const refusal = this.#waiting.refusal(call, now, this.#table.maxQueuedRequests);
    if (refusal === null) this.#waiting.enter(call, now);
    else this.#end(call, refusal);
  }

  #refuse(call: Call, code: "replica_busy" | "no_replica", message: string): void {
    this.#end(call, fault(code, message, { backend: this.name, mayHaveRun: "false" }, 1000));
  }

  #end(call: Call, failure: Fault): void {
    call.state = "done";
    this.#deadlines.remove(call);
    call.sink.fault(failure);
  }

  /** Ends a call wherever it is; true: a replica had it. */
  #takeBack(call: Call): boolean {
    const { state } = call;
    call.state = "done";
    this.#deadlines.remove(call);
    if (state === "queued") this.#waiting.leave(call, performance.now());
    if (state !== "sent") return false;
    call.replica?.cancel(call);
    return true;
  }
}

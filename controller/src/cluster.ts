// The instance's state in one place: the desired state and its store, the replicas, the routing feed, and the loop that
// brings one to the other. Commands come from api.ts, events from attachment.ts and bridges.ts; decisions from model/.

import { type BackendSpec, type Clock, type Fault, HeadgateError, type Random, fault } from "@headgate/core";
import type { Exception } from "@headgate/proto/fault";
import { configToProto } from "@headgate/rpc";
import type { Launcher } from "./launcher.ts";
import { Loop, type Outcome } from "./loop.ts";
import { type Command, type Desired, type DesiredBackend, decide, same } from "./model/desired.ts";
import type { ReplicaEvent } from "./model/observed.ts";
import { type Action, type CrashState, NO_CRASH, afterCrash, plan } from "./model/plan.ts";
import { project, usedBackends } from "./model/routing.ts";
import { type PoolConfig, type PoolEntry, ReplicaPool, exceptionFault } from "./replica-pool.ts";
import type { RoutingFeed } from "./routing-feed.ts";
import type { Store } from "./store.ts";

/** What the cluster is made of. */
export interface ClusterParts {
  readonly store: Store;
  readonly launcher: Launcher;
  readonly pool: PoolConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (level: "info" | "warn" | "error", msg: string, facts?: Readonly<Record<string, unknown>>) => void;
  /** Made once the cluster can be told of changes. */
  readonly feed: (onChange: () => void) => RoutingFeed;
}

/** How a roll-out ended. */
export type RolloutEnd = { readonly kind: "in_force" } | { readonly kind: "failed"; readonly reason: Fault };

/** Roll-outs whose end is remembered for those who wait for it. */
const MOST_ENDS = 1_000;
/** How long the first table after a restart waits for the replicas that were adopted. */
const ADOPTION_GRACE_MS = 2_000;

/** Per backend, beside its desired state. */
interface Notes {
  crash: CrashState;
  failure: Fault | null;
  lastError: Exception | null;
  restarts: number;
  acceptsBatches: boolean;
  force: boolean;
  drainTimeoutMs: number;
}

/** The state of an instance. */
export class Cluster {
  readonly pool: ReplicaPool;
  readonly feed: RoutingFeed;
  readonly epoch: string;
  readonly #parts: ClusterParts;
  readonly #loop: Loop;
  readonly #waiting = new Set<() => void>();
  readonly #notes = new Map<string, Notes>();
  readonly #ends = new Map<string, RolloutEnd>();
  readonly #adopted: Set<string>;
  #holding: NodeJS.Timeout | null = null;
  #desired: Desired;
  #started = false;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    const { stored } = parts.store;
    this.#desired = stored.desired;
    this.epoch = stored.epoch;
    this.#loop = new Loop(
      (name) => this.#reconcile(name),
      (name, error) => parts.log("error", "reconciling failed", { backend: name, error: String(error) }),
      () => parts.clock.now(),
    );
    this.feed = parts.feed(() => this.#feedChanged());
    this.pool = new ReplicaPool(parts.launcher, parts.store, parts.pool, {
      changed: (backend) => this.#changed(backend),
      gone: (entry, livedMs) => this.#gone(entry, livedMs),
    });
    this.#adopted = new Set(this.pool.adopt(stored.replicas));
    if (this.#adopted.size > 0) {
      parts.log("info", "adopting replicas", { replicas: this.#adopted.size });
      this.#holding = setTimeout(() => this.#release(), ADOPTION_GRACE_MS);
    } else this.#publish();
  }

  /** Begins to bring what is to what should be. Until then nothing is started or ended. */
  start(): void {
    this.#started = true;
    this.#feedChanged();
  }

  get desired(): Desired {
    return this.#desired;
  }

  /** What is known of a backend beside its desired state. */
  notes(name: string): Readonly<Notes> {
    return this.#note(name);
  }

  /** Carries out a command: decided, made durable, and on its way when this returns. Throws a HeadgateError where refused. */
  apply(command: Command): Desired {
    const before = this.#desired;
    const decided = decide(before, command);
    if (!decided.ok) throw new HeadgateError(decided.error);
    const after = decided.value;
    if (after === before) return after;
    this.#parts.store.commit(before, after);
    this.#desired = after;
    for (const [name, backend] of after.backends) {
      const earlier = before.backends.get(name);
      if (earlier === backend) continue;
      const note = this.#note(name);
      note.drainTimeoutMs = backend.spec.config.drainTimeoutMs;
      if (earlier?.revision !== backend.revision) {
        note.crash = NO_CRASH;
        note.failure = null;
        note.force = false;
      }
      this.#loop.mark(name);
    }
    for (const name of before.backends.keys()) if (!after.backends.has(name)) this.#loop.mark(name);
    this.#publish();
    this.#wake();
    return after;
  }

  /** What leaves of a backend is ended at once from now on. */
  force(name: string): void {
    this.#note(name).force = true;
    this.#loop.mark(name);
  }

  /** How the roll-out of a backend's change at a revision ended; null: it has not. */
  rolloutEnd(name: string, revision: number): RolloutEnd | null {
    return this.#ends.get(`${name}@${revision}`) ?? null;
  }

  /** A replica has settings in force, or could not put them in force. */
  configured(id: string, number: number, error: Exception | undefined): void {
    const entry = this.pool.entries.get(id);
    if (entry === undefined) return;
    if (error === undefined) {
      this.pool.event(id, { kind: "configured", number });
      return;
    }
    const { backend } = entry.replica;
    const note = this.#note(backend);
    note.lastError = error;
    note.failure = exceptionFault(backend, error, "reconfigure_failed", "reconfigure()");
    this.#configuring.delete(id);
    this.#changed(backend);
  }

  /** A replica is attached again. What was said to it on the stream before may not have reached it. */
  resumed(id: string): void {
    this.#configuring.delete(id);
    const replica = this.pool.entries.get(id)?.replica;
    if (replica?.state === "draining" && replica.told && !replica.drained) {
      this.pool.say(id, { $case: "drain", value: { timeoutMs: this.#note(replica.backend).drainTimeoutMs } });
    }
    if (replica !== undefined) this.#loop.mark(replica.backend);
    this.#found(id);
  }

  /** What makes of a replica that says it was draining one that is. */
  drainingAgain(id: string): ReplicaEvent[] {
    const entry = this.pool.entries.get(id);
    if (entry === undefined || entry.replica.state === "draining") return [];
    const deadlineMs = this.#parts.clock.now() + this.#note(entry.replica.backend).drainTimeoutMs;
    return [{ kind: "drain", deadlineMs }, { kind: "toldToDrain" }];
  }

  /** A replica that was adopted is back, or is gone: the first table waits for all of them. */
  #found(id: string): void {
    if (this.#adopted.delete(id) && this.#adopted.size === 0) this.#release();
  }

  /** Resolves when `reached` says so; it is asked after every change. Rejects with what it throws, or when the caller left. */
  until(reached: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        this.#waiting.delete(look);
        signal.removeEventListener("abort", left);
        end();
      };
      const left = (): void => settle(() => reject(new HeadgateError(fault("cancelled", "the caller is gone; the change goes on"))));
      const look = (): void => {
        try {
          if (reached()) settle(resolve);
        } catch (error) {
          settle(() => reject(error));
        }
      };
      this.#waiting.add(look);
      signal.addEventListener("abort", left, { once: true });
      if (signal.aborted) left();
      else look();
    });
  }

  /** Ends every replica. Resolves when their processes are gone. */
  async endReplicas(force: boolean, signal: AbortSignal): Promise<void> {
    this.#loop.close();
    const timeouts: NodeJS.Timeout[] = [];
    for (const { replica } of this.pool.entries.values()) {
      const { drainTimeoutMs } = this.#note(replica.backend);
      if (force || replica.state !== "serving" || replica.load.inFlight === 0) this.pool.stop(replica.id, force);
      else {
        this.pool.event(replica.id, { kind: "drain", deadlineMs: this.#parts.clock.now() + drainTimeoutMs });
        this.pool.say(replica.id, { $case: "drain", value: { timeoutMs: drainTimeoutMs } });
        timeouts.push(setTimeout(() => this.pool.stop(replica.id, true), drainTimeoutMs));
      }
    }
    await this.until(() => {
      for (const { replica } of this.pool.entries.values())
        if (replica.state === "draining" && replica.drained) this.pool.stop(replica.id, false);
      return this.pool.entries.size === 0;
    }, signal);
    for (const timeout of timeouts) clearTimeout(timeout);
  }

  close(): void {
    this.#loop.close();
    if (this.#holding !== null) clearTimeout(this.#holding);
  }

  // --- inside ---

  /** Configures that were sent and not answered: by replica, the revision. */
  readonly #configuring = new Map<string, number>();

  #note(name: string): Notes {
    let note = this.#notes.get(name);
    if (note === undefined) {
      const drainTimeoutMs = this.#desired.backends.get(name)?.spec.config.drainTimeoutMs ?? 0;
      note = { crash: NO_CRASH, failure: null, lastError: null, restarts: 0, acceptsBatches: false, force: false, drainTimeoutMs };
      this.#notes.set(name, note);
    }
    return note;
  }

  #reconcile(name: string): Outcome {
    if (!this.#started) return { kind: "done" };
    const desired = this.#desired.backends.get(name) ?? null;
    const note = this.#note(name);
    const now = this.#parts.clock.now();
    const made = plan(
      {
        desired,
        replicas: this.pool.of(name),
        routing: this.feed,
        routed: usedBackends(this.#desired).has(name),
        failure: note.failure,
        crash: note.crash,
        drainTimeoutMs: note.drainTimeoutMs,
        force: note.force,
      },
      now,
    );
    for (const action of made.actions) this.#do(name, desired, action);
    if (desired === null && this.pool.of(name).length === 0) this.#notes.delete(name);
    return made.lookAgainMs === null ? { kind: "done" } : { kind: "again", atMs: made.lookAgainMs };
  }

  #do(name: string, desired: DesiredBackend | null, action: Action): void {
    switch (action.kind) {
      case "launch":
        if (desired !== null) this.#launch(desired, action.count);
        return;
      case "configure":
        if (desired !== null) this.#configure(desired, action.id);
        return;
      case "drain":
        this.pool.event(action.id, { kind: "drain", deadlineMs: action.deadlineMs });
        return;
      case "tellToDrain":
        if (this.pool.say(action.id, { $case: "drain", value: { timeoutMs: this.#note(name).drainTimeoutMs } })) {
          this.pool.event(action.id, { kind: "toldToDrain" });
        }
        return;
      case "stop":
        this.pool.stop(action.id, action.force);
        return;
      case "rolledOut":
        if (desired !== null) this.#end(name, desired.revision, { kind: "in_force" });
        this.apply({ kind: "rolledOut", name, generation: action.generation });
        return;
      case "rollBack":
        this.#parts.log("warn", "a change is taken back", { backend: name, reason: action.reason.message });
        if (desired !== null) this.#end(name, desired.revision, { kind: "failed", reason: action.reason });
        this.apply({ kind: "rollBack", name, generation: action.generation });
        return;
      default:
        action satisfies never;
    }
  }

  #launch(desired: DesiredBackend, count: number): void {
    const { spec, generation, revision } = desired;
    try {
      for (let i = 0; i < count; i++) this.pool.launch(spec, generation, revision);
    } catch (error) {
      const failure = error instanceof HeadgateError ? fault(error.code, error.message, error.details) : fault("internal", String(error));
      this.#noteFailure(spec, generation, failure, 0);
    }
  }

  #configure(desired: DesiredBackend, id: string): void {
    const { spec, revision, rollout } = desired;
    if (this.#configuring.get(id) === revision) return;
    const previous = rollout.phase === "updating" ? rollout.previous.config.userConfig : undefined;
    const { userConfig } = spec.config;
    const sent = this.pool.say(id, {
      $case: "configure",
      value: {
        number: BigInt(revision),
        config: configToProto(spec.config),
        reconfigure: userConfig !== undefined && !same(previous, userConfig),
        userConfig,
      },
    });
    if (sent) this.#configuring.set(id, revision);
  }

  #end(name: string, revision: number, end: RolloutEnd): void {
    this.#ends.set(`${name}@${revision}`, end);
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= MOST_ENDS) break;
      this.#ends.delete(oldest);
    }
  }

  #gone(entry: PoolEntry, livedMs: number): void {
    const { replica } = entry;
    this.#configuring.delete(replica.id);
    this.#found(replica.id);
    if (replica.state !== "gone" || replica.failure === null) return;
    const note = this.#note(replica.backend);
    note.lastError = entry.exception ?? note.lastError;
    if (replica.served) note.restarts++;
    this.#parts.log("warn", "a replica ended", { replica: replica.id, reason: replica.failure.message });
    const spec = this.#desired.backends.get(replica.backend)?.spec;
    if (spec === undefined) return;
    this.#noteFailure(spec, replica.generation, replica.served ? null : replica.failure, livedMs);
  }

  #noteFailure(spec: BackendSpec, generation: number, failure: Fault | null, livedMs: number): void {
    const note = this.#note(spec.name);
    note.crash = afterCrash(note.crash, livedMs, this.#parts.clock.now(), this.#parts.random());
    if (failure !== null && this.#desired.backends.get(spec.name)?.generation === generation) note.failure = failure;
    this.#loop.mark(spec.name);
  }

  #changed(backend: string): void {
    for (const { replica } of this.pool.entries.values()) {
      if (replica.state === "serving" && replica.acceptsBatches) this.#note(replica.backend).acceptsBatches = true;
    }
    this.#publish();
    this.#loop.mark(backend);
    this.#wake();
  }

  #feedChanged(): void {
    for (const name of this.#desired.backends.keys()) this.#loop.mark(name);
    for (const { replica } of this.pool.entries.values()) this.#loop.mark(replica.backend);
    this.#wake();
  }

  #publish(): void {
    if (this.#holding !== null) return;
    this.feed.publish(project(this.#desired, this.#replicas()));
  }

  *#replicas() {
    for (const { replica } of this.pool.entries.values()) yield replica;
  }

  #release(): void {
    if (this.#holding !== null) clearTimeout(this.#holding);
    this.#holding = null;
    this.#publish();
    this.#feedChanged();
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }
}

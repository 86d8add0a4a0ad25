// The planner's safety rules as properties of a small world: replicas that start, fail, crash, drain; a bridge that acknowledges
// late. The world carries out each plan; after any history it must come to rest with all that was asked for.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { LIMITS, fault, parseBackendSpec } from "@headgate/core";
import { type Command, type Desired, type DesiredBackend, NOTHING_DESIRED, decide } from "./desired.ts";
import { type Replica, type ReplicaEvent, launched, step } from "./observed.ts";
import { type Action, type BackendView, type CrashState, NO_CRASH, afterCrash, plan, surgeOf } from "./plan.ts";

const DRAIN_MS = 1_000;
const FAILED = fault("constructor_failed", "it threw");

function specOf(source: string, numReplicas: number) {
  const spec = parseBackendSpec({
    name: "b",
    handler: { kind: "inline", source, shape: "class", acceptsBatches: false },
    args: [],
    config: { numReplicas, drainTimeoutMs: DRAIN_MS },
  });
  if (!spec.ok) throw new Error(spec.error.message);
  return spec.value;
}

/** A world with one backend. A generation whose source says "bad" cannot be constructed. */
class World {
  desired: Desired = NOTHING_DESIRED;
  replicas = new Map<string, Replica>();
  /** What the bridge runs, and what it was sent. */
  acked = new Set<string>();
  now = 0;
  crash: CrashState = NO_CRASH;
  failure: BackendView["failure"] = null;
  outcomes: string[] = [];
  #number = 0;

  get backend(): DesiredBackend | null {
    return this.desired.backends.get("b") ?? null;
  }

  command(command: Command): void {
    const decided = decide(this.desired, command);
    if (!decided.ok) return;
    if (decided.value !== this.desired && command.kind !== "rolledOut") {
      this.failure = null;
      this.crash = NO_CRASH;
    }
    this.desired = decided.value;
  }

  table(): Set<string> {
    return new Set([...this.replicas.values()].filter((replica) => replica.state === "serving").map((replica) => replica.id));
  }

  event(id: string, event: ReplicaEvent): void {
    const replica = this.replicas.get(id);
    if (replica !== undefined) this.replicas.set(id, step(replica, event));
  }

  end(id: string): void {
    this.replicas.delete(id);
  }

  first(state: Replica["state"], pick = 0): Replica | undefined {
    const found = [...this.replicas.values()].filter((replica) => replica.state === state);
    return found[pick % Math.max(found.length, 1)];
  }

  view(): BackendView {
    const table = this.table();
    return {
      desired: this.backend,
      replicas: [...this.replicas.values()],
      routing: { inForce: (id) => this.acked.has(id), mayBeSentTo: (id) => table.has(id) || this.acked.has(id) },
      routed: true,
      failure: this.failure,
      crash: this.crash,
      drainTimeoutMs: DRAIN_MS,
      force: false,
    };
  }

  /** Makes a plan, checks it against the rules, carries it out. Returns how many things it did. */
  reconcile(): number {
    const view = this.view();
    const { actions } = plan(view, this.now);
    this.check(view, actions);
    for (const action of actions) this.do(action);
    return actions.length;
  }

  check(view: BackendView, actions: readonly Action[]): void {
    const { desired } = view;
    if (desired === null) return;
    const target = desired.spec.config.numReplicas;
    const staying = view.replicas.filter((replica) => replica.state !== "draining").length;
    const leavingIds = new Set(actions.flatMap((action) => (action.kind === "drain" || action.kind === "stop" ? [action.id] : [])));
    for (const action of actions) {
      if (action.kind === "launch") expect(staying + action.count).toBeLessThanOrEqual(target + surgeOf(target));
      // No replica that the bridge may send to is told to stop taking requests.
      if (action.kind === "tellToDrain") expect(view.routing.mayBeSentTo(action.id)).toBe(false);
    }
    const serving = view.replicas.filter((replica) => replica.state === "serving");
    const stays = serving.filter((replica) => !leavingIds.has(replica.id));
    expect(stays.length).toBeGreaterThanOrEqual(Math.min(serving.length, target));
    const old = serving.filter((replica) => replica.generation !== desired.generation);
    const oldLeaves = old.some((replica) => leavingIds.has(replica.id));
    if (oldLeaves) {
      // An old version leaves only for new replicas that the bridge has, or beyond the target.
      const newInForce = serving.filter((replica) => replica.generation === desired.generation && view.routing.inForce(replica.id));
      expect(newInForce.length > 0 || old.length > target).toBe(true);
    }
    if (view.failure !== null && desired.rollout.phase !== "steady") {
      expect(actions.map((action) => action.kind)).toEqual(["rollBack"]);
    }
  }

  do(action: Action): void {
    const { backend } = this;
    switch (action.kind) {
      case "launch":
        for (let i = 0; i < action.count; i++) {
          const id = `r${this.#number++}`;
          this.replicas.set(
            id,
            launched({ id, backend: "b", generation: backend?.generation ?? 0, address: id, startedAtMs: this.now, pid: 1 }),
          );
        }
        return;
      case "configure":
        this.event(action.id, { kind: "configured", number: backend?.revision ?? 0 });
        return;
      case "drain":
        this.event(action.id, { kind: "drain", deadlineMs: action.deadlineMs });
        return;
      case "tellToDrain":
        this.event(action.id, { kind: "toldToDrain" });
        return;
      case "stop":
        this.end(action.id);
        return;
      case "rolledOut":
        this.outcomes.push("in force");
        this.command({ kind: "rolledOut", name: "b", generation: action.generation });
        return;
      case "rollBack":
        this.outcomes.push("rolled back");
        this.command({ kind: "rollBack", name: "b", generation: action.generation });
        return;
      default:
        action satisfies never;
    }
  }

  /** A replica that was launched comes up, or cannot. */
  start(pick: number): void {
    const replica = this.first("launching", pick);
    if (replica === undefined) return;
    const bad = replica.generation === this.backend?.generation && JSON.stringify(this.backend.spec.handler).includes("bad");
    if (bad) {
      this.end(replica.id);
      this.crash = afterCrash(this.crash, 0, this.now, 0);
      this.failure = FAILED;
      return;
    }
    this.event(replica.id, { kind: "registered", pid: 1 });
    this.event(replica.id, { kind: "ready", transport: "session", acceptsBatches: false, configured: this.backend?.revision ?? 0 });
  }

  kill(pick: number): void {
    const replica = this.first("serving", pick);
    if (replica === undefined) return;
    this.end(replica.id);
    this.crash = afterCrash(this.crash, this.now - replica.startedAtMs, this.now, 0);
  }

  ack(): void {
    this.acked = this.table();
  }

  drained(): void {
    for (const replica of this.replicas.values())
      if (replica.state === "draining" && replica.told) this.event(replica.id, { kind: "drained" });
  }

  /** Lets everything that can happen by itself happen, until nothing does. */
  settle(): void {
    for (let round = 0; round < 500; round++) {
      const before = this.replicas.size;
      const done = this.reconcile();
      for (let i = 0; i < 8; i++) this.start(0);
      this.ack();
      this.drained();
      this.now += 100;
      if (
        done === 0 &&
        before === this.replicas.size &&
        this.first("launching") === undefined &&
        this.now > this.crash.retryAtMs &&
        this.reconcile() === 0
      )
        return;
    }
    throw new Error("the world does not come to rest");
  }
}

type Move = (world: World) => void;

const moves: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Move>((world) => void world.reconcile()) },
  { weight: 4, arbitrary: fc.nat(9).map<Move>((pick) => (world) => world.start(pick)) },
  { weight: 3, arbitrary: fc.constant<Move>((world) => world.ack()) },
  { weight: 2, arbitrary: fc.constant<Move>((world) => world.drained()) },
  { weight: 1, arbitrary: fc.nat(9).map<Move>((pick) => (world) => world.kill(pick)) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 2_000 }).map<Move>((ms) => (world) => void (world.now += ms)) },
  {
    weight: 2,
    arbitrary: fc
      .record({
        source: fc.constantFrom("class A {}", "class B {}", "class bad {}"),
        replicas: fc.integer({ min: 1, max: 6 }),
        restart: fc.boolean(),
      })
      .map<Move>(
        ({ source, replicas, restart }) =>
          (world) =>
            world.command({ kind: "updateBackend", spec: specOf(source, replicas), restart }),
      ),
  },
);

function served(numReplicas: number, source = "class A {}"): World {
  const world = new World();
  world.command({ kind: "createBackend", spec: specOf(source, numReplicas) });
  world.settle();
  return world;
}

describe("whatever happens", () => {
  test("no rule is broken, and the world comes to rest with what was asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(moves, { maxLength: 120 }), (numReplicas, history) => {
        const world = served(numReplicas);
        for (const move of history) move(world);
        world.settle();
        const { backend } = world;
        if (backend === null) throw new Error("the backend is gone");
        expect(backend.rollout.phase).toBe("steady");
        const replicas = [...world.replicas.values()];
        expect(replicas.map((replica) => [replica.state, replica.generation])).toEqual(
          Array.from({ length: backend.spec.config.numReplicas }, () => ["serving", backend.generation]),
        );
        expect(JSON.stringify(backend.spec.handler)).not.toContain("bad");
      }),
      { numRuns: 400 },
    );
  });

  test("the same view gives the same plan", () => {
    fc.assert(
      fc.property(fc.array(moves, { maxLength: 60 }), (history) => {
        const world = served(2);
        for (const move of history) move(world);
        const view = world.view();
        expect(plan(view, world.now)).toEqual(plan(view, world.now));
      }),
    );
  });
});

test("replicas of a new backend are all started at once", () => {
  const world = new World();
  world.command({ kind: "createBackend", spec: specOf("class A {}", 4) });
  expect(plan(world.view(), 0).actions).toEqual([{ kind: "launch", count: 4 }]);
});

test("a create that cannot be constructed is taken back and leaves nothing", () => {
  const world = served(3, "class bad {}");
  expect(world.outcomes).toEqual(["rolled back"]);
  expect([world.backend, world.replicas.size]).toEqual([null, 0]);
});

test("an update starts its surge before anything of the old version leaves", () => {
  const world = served(4);
  world.command({ kind: "updateBackend", spec: specOf("class B {}", 4), restart: false });
  expect(plan(world.view(), world.now).actions).toEqual([{ kind: "launch", count: 1 }]);
});

test("an update that cannot be constructed leaves the old replicas untouched", () => {
  const world = served(2);
  const before = [...world.replicas.keys()];
  world.command({ kind: "updateBackend", spec: specOf("class bad {}", 2), restart: false });
  world.settle();
  expect([...world.replicas.keys()]).toEqual(before);
  expect(world.outcomes).toEqual(["in force", "rolled back"]);
});

test("an old replica does not leave before the bridge has the new one", () => {
  const world = served(1);
  world.command({ kind: "updateBackend", spec: specOf("class B {}", 1), restart: false });
  world.reconcile();
  world.start(0);
  expect(world.reconcile()).toBe(0);
  world.ack();
  expect(plan(world.view(), world.now).actions.map((action) => action.kind)).toEqual(["drain"]);
});

test("a replica that does not drain is ended at its deadline", () => {
  const world = served(2);
  world.command({ kind: "updateBackend", spec: specOf("class A {}", 1), restart: false });
  world.reconcile();
  world.reconcile();
  const draining = world.first("draining");
  expect(plan(world.view(), world.now).lookAgainMs).toBe(world.now + DRAIN_MS);
  expect(plan(world.view(), world.now + DRAIN_MS).actions).toContainEqual({ kind: "stop", id: draining?.id, force: true });
});

test("the first restart is at once, later ones wait 1 s to 60 s, shortened by up to a half", () => {
  let state = afterCrash(NO_CRASH, 0, 0, 0);
  const waits = [state.retryAtMs];
  for (let i = 0; i < 9; i++) {
    state = afterCrash(state, 0, 0, 0);
    waits.push(state.retryAtMs);
  }
  expect(waits).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  expect(afterCrash({ failures: 3, retryAtMs: 0 }, 0, 0, 1).retryAtMs).toBe(2_000);
  expect(afterCrash(state, LIMITS.restartBackoffMaxMs, 0, 0).failures).toBe(1);
});

test("nothing is launched while a crash is being waited out, and it is looked at again then", () => {
  const world = served(1);
  world.kill(0);
  world.crash = { failures: 5, retryAtMs: world.now + 8_000 };
  expect(plan(world.view(), world.now)).toEqual({ actions: [], lookAgainMs: world.now + 8_000 });
  expect(plan(world.view(), world.now + 8_000).actions).toEqual([{ kind: "launch", count: 1 }]);
});

test("a deleted backend's replicas drain, and go at once by force", () => {
  const world = served(2);
  world.command({ kind: "deleteBackend", name: specOf("class A {}", 1).name });
  const view = world.view();
  expect(plan(view, world.now).actions.map((action) => action.kind)).toEqual(["drain", "drain"]);
  expect(plan({ ...view, force: true }, world.now).actions.map((action) => action.kind)).toEqual(["stop", "stop"]);
});

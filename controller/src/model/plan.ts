// What to do next for one backend: (desired, observed, routing, now) → actions. Pure; time and chance are arguments.
// Safety: never more processes than the target and its surge; an old replica leaves only when a new one is in force in every
// bridge; a version that fails never touches the one before it. Level-triggered: the same view gives the same plan.

import { type Fault, LIMITS } from "@headgate/core";
import type { DesiredBackend } from "./desired.ts";
import { type Replica, isAlive } from "./observed.ts";

/** One thing to do. */
export type Action =
  | { readonly kind: "launch"; readonly count: number }
  /** Hand a serving replica the settings of this revision. */
  | { readonly kind: "configure"; readonly id: string }
  /** Take a replica out of the routing table. */
  | { readonly kind: "drain"; readonly id: string; readonly deadlineMs: number }
  /** No bridge sends to it any more: let it finish. */
  | { readonly kind: "tellToDrain"; readonly id: string }
  /** End its process. */
  | { readonly kind: "stop"; readonly id: string; readonly force: boolean }
  /** The change is in force. */
  | { readonly kind: "rolledOut"; readonly generation: number }
  /** The change cannot be: take it back. */
  | { readonly kind: "rollBack"; readonly generation: number; readonly reason: Fault };

/** How starting replicas has gone lately. */
export interface CrashState {
  readonly failures: number;
  /** No new replica before this time, in milliseconds since the Unix epoch. */
  readonly retryAtMs: number;
}

export const NO_CRASH: CrashState = { failures: 0, retryAtMs: 0 };

/** A replica that served this long is taken as healthy: its end begins a new count. */
const HEALTHY_MS = 60_000;

/** The first restart is at once; then 1 s, 2 s, 4 s … 60 s, each shortened by up to a half. `random` is in [0, 1). */
export function afterCrash(state: CrashState, livedMs: number, now: number, random: number): CrashState {
  const failures = livedMs >= HEALTHY_MS ? 1 : state.failures + 1;
  if (failures === 1) return { failures, retryAtMs: now };
  const whole = Math.min(LIMITS.restartBackoffMinMs * 2 ** (failures - 2), LIMITS.restartBackoffMaxMs);
  return { failures, retryAtMs: now + whole * (1 - random / 2) };
}

/** What the bridges run, as far as it is known. */
export interface RoutingView {
  /** Whether every live bridge runs a table that has this replica. */
  inForce(id: string): boolean;
  /** Whether some receiver may still send to this replica. */
  mayBeSentTo(id: string): boolean;
}

/** All that a plan looks at. */
export interface BackendView {
  /** Null: it was deleted. */
  readonly desired: DesiredBackend | null;
  readonly replicas: readonly Replica[];
  readonly routing: RoutingView;
  /** Whether any endpoint uses it: else no table has its replicas and nothing is waited for. */
  readonly routed: boolean;
  /** What went wrong with the change that is being rolled out; null: nothing. */
  readonly failure: Fault | null;
  readonly crash: CrashState;
  /** Drain time of a backend that is desired no more, in milliseconds. */
  readonly drainTimeoutMs: number;
  /** End what leaves at once. */
  readonly force: boolean;
}

/** What to do, and when to look again where nothing happens before. */
export interface Plan {
  readonly actions: readonly Action[];
  /** Milliseconds since the Unix epoch; null: only when something happens. */
  readonly lookAgainMs: number | null;
}

/** Replicas beyond the target that a roll-out may start. */
export function surgeOf(target: number): number {
  return Math.max(1, Math.ceil(target / 4));
}

/** Makes the plan. */
export function plan(view: BackendView, now: number): Plan {
  const { desired } = view;
  const times: number[] = [];
  const actions = [...leaving(view, now, times)];
  if (desired === null) {
    for (const replica of view.replicas) actions.push(...leave(replica, view.drainTimeoutMs, view.force, now));
    return finish(actions, times, now);
  }
  const { rollout, generation } = desired;
  if (rollout.phase !== "steady" && view.failure !== null) {
    return finish([{ kind: "rollBack", generation, reason: view.failure }], times, now);
  }
  const target = desired.spec.config.numReplicas;
  const staying = view.replicas.filter((replica) => isAlive(replica) && replica.state !== "draining");
  const current = staying.filter((replica) => replica.generation === generation);
  const old = staying.filter((replica) => replica.generation !== generation);

  if (current.length < target) {
    if (view.crash.retryAtMs > now) times.push(view.crash.retryAtMs);
    else {
      const room = target + surgeOf(target) - staying.length;
      const count = Math.min(target - current.length, room);
      if (count > 0) actions.push({ kind: "launch", count });
    }
  }
  for (const replica of current) {
    if (replica.state === "serving" && replica.configured < desired.revision && rollout.phase !== "creating") {
      actions.push({ kind: "configure", id: replica.id });
    }
  }
  actions.push(...retire(view, current, old, target, desired.spec.config.drainTimeoutMs, now));
  if (rollout.phase !== "steady" && isInForce(view, desired, current, old, target)) actions.push({ kind: "rolledOut", generation });
  return finish(actions, times, now);
}

function finish(actions: readonly Action[], times: readonly number[], now: number): Plan {
  const later = times.filter((time) => time > now);
  return { actions, lookAgainMs: later.length === 0 ? null : Math.min(...later) };
}

/** Replicas on their way out. */
function leaving(view: BackendView, now: number, times: number[]): Action[] {
  const actions: Action[] = [];
  for (const replica of view.replicas) {
    if (replica.state !== "draining") continue;
    if (replica.drained || view.force) actions.push({ kind: "stop", id: replica.id, force: view.force });
    else if (replica.deadlineMs <= now) actions.push({ kind: "stop", id: replica.id, force: true });
    else {
      times.push(replica.deadlineMs);
      if (!replica.told && !view.routing.mayBeSentTo(replica.id)) actions.push({ kind: "tellToDrain", id: replica.id });
    }
  }
  return actions;
}

/** One replica that should leave: one that never served has nothing to finish. */
function leave(replica: Replica, drainTimeoutMs: number, force: boolean, now: number): Action[] {
  switch (replica.state) {
    case "launching":
    case "warming":
      return [{ kind: "stop", id: replica.id, force: true }];
    case "serving":
      if (force || drainTimeoutMs === 0) return [{ kind: "stop", id: replica.id, force: true }];
      return [{ kind: "drain", id: replica.id, deadlineMs: now + drainTimeoutMs }];
    case "draining":
    case "gone":
      return [];
    default:
      return replica satisfies never;
  }
}

/** Old versions, and replicas beyond the target, as far as enough others are in force. */
function retire(
  view: BackendView,
  current: readonly Replica[],
  old: readonly Replica[],
  target: number,
  drainTimeoutMs: number,
  now: number,
): Action[] {
  const actions: Action[] = [];
  const ready = current.filter((replica) => replica.state === "serving" && (!view.routed || view.routing.inForce(replica.id)));
  const oldServing = old.filter((replica) => replica.state === "serving");
  for (const replica of old) if (replica.state !== "serving") actions.push(...leave(replica, drainTimeoutMs, view.force, now));
  let spare = oldServing.length + ready.length - target;
  for (const replica of oldServing) {
    if (spare <= 0) break;
    spare--;
    actions.push(...leave(replica, drainTimeoutMs, view.force, now));
  }
  // First those that take no requests yet, then those that not every bridge has, then the least busy.
  const rank = (replica: Replica): number => (replica.state !== "serving" ? -2 : ready.includes(replica) ? replica.load.inFlight : -1);
  const beyond = [...current].sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(0, current.length - target));
  for (const replica of beyond) actions.push(...leave(replica, drainTimeoutMs, view.force, now));
  return actions;
}

/** Whether all that is asked for is so. */
function isInForce(
  view: BackendView,
  desired: DesiredBackend,
  current: readonly Replica[],
  old: readonly Replica[],
  target: number,
): boolean {
  if (old.length > 0 || current.length !== target) return false;
  return current.every(
    (replica) =>
      replica.state === "serving" &&
      (desired.rollout.phase === "creating" || replica.configured >= desired.revision) &&
      (!view.routed || view.routing.inForce(replica.id)),
  );
}

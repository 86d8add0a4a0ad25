// Whether a replica is given requests, by what came of those that it had: passive ejection, as Envoy's outlier detection does
// it, with the answers of its siblings as the measure. Pure: time comes in as an argument.
// A replica that hangs answers no ping, which takes it out within seconds. One that hears and never answers is known by
// deadlines that pass on it, one after the other, while its siblings answer. The last one is never taken out.

import { LIMITS } from "@headgate/core";

/** What is known of a replica. */
export type Health =
  /** Given requests. `strikes`: deadlines that passed since its last answer; `answers`: those of its backend at the first of them. */
  | { readonly state: "in"; readonly strikes: number; readonly answers: number }
  /** Answers no ping. Its first word brings it back. */
  | { readonly state: "silent" }
  /** Given nothing until then. `times`: how often in a row. */
  | { readonly state: "out"; readonly untilMs: number; readonly times: number }
  /** Given one request: its answer brings it back. */
  | { readonly state: "trial"; readonly times: number };

/** What can happen to it. */
export type HealthEvent =
  /** A request was answered, well or not. */
  | { readonly kind: "answered" }
  /** It said something, be it a pong. */
  | { readonly kind: "heard" }
  /** A deadline passed on it. `answers`: those of its backend so far; `siblings`: whether another one is given requests. */
  | { readonly kind: "expired"; readonly answers: number; readonly siblings: boolean }
  /** It has requests, and has said nothing for replicaSilenceMs, not even a pong. */
  | { readonly kind: "unheard"; readonly siblings: boolean }
  /** Time has passed. */
  | { readonly kind: "looked" }
  /** No other one is given requests. */
  | { readonly kind: "alone" };

export const HEALTHY: Health = { state: "in", strikes: 0, answers: 0 };

/** What a replica's health is after an event. */
export function nextHealth(health: Health, event: HealthEvent, nowMs: number): Health {
  switch (event.kind) {
    case "answered":
    case "alone":
      return HEALTHY;
    case "heard":
      return health.state === "silent" ? HEALTHY : health;
    case "unheard":
      return health.state === "in" && event.siblings ? { state: "silent" } : health;
    case "looked":
      return health.state === "out" && nowMs >= health.untilMs ? { state: "trial", times: health.times } : health;
    case "expired":
      return afterExpiry(health, event.answers, event.siblings, nowMs);
  }
}

function afterExpiry(health: Health, answers: number, siblings: boolean, nowMs: number): Health {
  if (health.state === "trial") return out(health.times + 1, nowMs);
  if (health.state !== "in") return health;
  const strikes = health.strikes + 1;
  const since = health.strikes === 0 ? answers : health.answers;
  // Where nobody answers, it is not this replica that fails.
  if (strikes >= LIMITS.ejectionDeadlines && siblings && answers > since) return out(1, nowMs);
  return { state: "in", strikes, answers: since };
}

function out(times: number, nowMs: number): Health {
  return { state: "out", times, untilMs: nowMs + Math.min(LIMITS.ejectionMaxMs, LIMITS.ejectionMinMs * 2 ** (times - 1)) };
}

/** Whether it may be given requests. */
export function isIn(health: Health): boolean {
  return health.state === "in" || health.state === "trial";
}

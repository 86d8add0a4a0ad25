// When a replica is taken out, and how it comes back.
import { expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import fc from "fast-check";
import { HEALTHY, type Health, type HealthEvent, isIn, nextHealth } from "./health.ts";

/** Events one second apart. */
const run = (...events: readonly HealthEvent[]): Health =>
  events.reduce((health: Health, event, second) => nextHealth(health, event, second * 1_000), HEALTHY);
const expired = (answers: number, siblings = true): HealthEvent => ({ kind: "expired", answers, siblings });
const unheard = (siblings: boolean): HealthEvent => ({ kind: "unheard", siblings });
const ANSWERED: HealthEvent = { kind: "answered" };
const HEARD: HealthEvent = { kind: "heard" };
const LOOKED: HealthEvent = { kind: "looked" };
const ALONE: HealthEvent = { kind: "alone" };
const THREE = [expired(10), expired(11), expired(12)];

test.each<[string, readonly HealthEvent[], Health["state"]]>([
  ["two deadlines passed", [expired(10), expired(20)], "in"],
  ["three deadlines passed while siblings answered", THREE, "out"],
  ["three deadlines passed while nobody answered", [expired(10), expired(10), expired(10)], "in"],
  ["a sibling answers later", [expired(10), expired(10), expired(10), expired(11)], "out"],
  ["three deadlines passed on the only one", [expired(10, false), expired(11, false), expired(12, false)], "in"],
  ["an answer between deadlines", [expired(10), expired(11), ANSWERED, expired(13), expired(14)], "in"],
  ["a word between deadlines, which is no answer", [expired(10), expired(11), HEARD, expired(13)], "out"],
  ["no pong, with siblings", [unheard(true)], "silent"],
  ["no pong, without siblings", [unheard(false)], "in"],
  ["a word after silence", [unheard(true), HEARD], "in"],
  ["deadlines during silence", [unheard(true), ...THREE], "silent"],
  ["the others are gone meanwhile: silent", [unheard(true), ALONE], "in"],
  ["the others are gone meanwhile: out", [...THREE, ALONE], "in"],
  ["out, a look in time", [...THREE, LOOKED], "trial"],
  ["out, an old request is answered after all", [...THREE, ANSWERED], "in"],
  ["on trial, answered", [...THREE, LOOKED, ANSWERED], "in"],
  ["on trial, the deadline passed", [...THREE, LOOKED, expired(20)], "out"],
  ["on trial, a word that is no answer", [...THREE, LOOKED, HEARD], "trial"],
])("%s: %j gives %s", (_name, events, state) => {
  expect(run(...events).state).toBe(state);
});

test("each trial in vain doubles the time until the next, up to a limit; an answer ends that", () => {
  let health: Health = run(...THREE);
  let now = 2_000;
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    if (health.state !== "out") throw new Error(`it is ${health.state}`);
    waits.push(health.untilMs - now);
    expect(nextHealth(health, LOOKED, health.untilMs - 1)).toBe(health);
    now = health.untilMs;
    health = nextHealth(nextHealth(health, LOOKED, now), expired(100), now);
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  const back = nextHealth(health, ANSWERED, now);
  expect(nextHealth(nextHealth(nextHealth(back, expired(1), now), expired(2), now), expired(3), now)).toMatchObject({ times: 1 });
});

test("whatever happens, one without siblings is never taken out, and one that answers is always in", () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("expired" as const), answers: fc.nat(9), siblings: fc.boolean() }),
    fc.record({ kind: fc.constant("unheard" as const), siblings: fc.boolean() }),
    fc.constantFrom(ANSWERED, HEARD, LOOKED, ALONE),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.nat(5_000)), { maxLength: 60 }), (events) => {
      let health = HEALTHY;
      let now = 0;
      for (const [what, ms] of events) {
        const before = health;
        now += ms;
        health = nextHealth(health, what, now);
        if (isIn(before) && before.state === "in" && !isIn(health)) expect(what).toMatchObject({ siblings: true });
        if (what.kind === "answered" || what.kind === "alone") expect(health).toEqual(HEALTHY);
        if (health.state === "out") expect(health.untilMs - now).toBeLessThanOrEqual(LIMITS.ejectionMaxMs);
      }
    }),
  );
});

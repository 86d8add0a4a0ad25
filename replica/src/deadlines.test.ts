// Deadlines behind one timer: each is told once, none before its time, and none that has left.
import { expect, test } from "@jest/globals";
import { Deadlines } from "./deadlines.ts";
import { until } from "./testing/bridge.ts";

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("deadlines in any order are each told once, not before they pass, and those that leave are not told", async () => {
  const deadlines = new Deadlines();
  const before = timers();
  const begunMs = performance.now();
  const told: number[] = [];
  const early: number[] = [];
  const watched = Array.from({ length: 200 }, (_, n) => ({
    deadlineMs: begunMs + ((n * 37) % 60),
    expired(): void {
      told.push(n);
      if (performance.now() < this.deadlineMs) early.push(n);
    },
  }));
  for (const one of watched) deadlines.watch(one);
  for (const one of watched.filter((_, n) => n % 2 === 1)) deadlines.forget(one);
  await until(() => deadlines.size === 0);
  expect(told.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => 2 * n));
  expect(early).toEqual([]);
  await until(() => timers() <= before);
});

test("one timer runs for all, and none when the last one has left", () => {
  const deadlines = new Deadlines();
  const before = timers();
  const soon = { deadlineMs: performance.now() + 60_000, expired: () => undefined };
  const late = { ...soon, deadlineMs: Number.MAX_SAFE_INTEGER };
  deadlines.watch(late);
  deadlines.watch(soon);
  expect(timers()).toBe(before + 1);
  deadlines.forget(soon);
  expect(timers()).toBe(before + 1);
  deadlines.forget(late);
  expect([timers(), deadlines.size]).toEqual([before, 0]);
});

test("who is told may watch the next one", async () => {
  const deadlines = new Deadlines();
  let told = 0;
  const next = (): void => {
    if (++told < 5) deadlines.watch({ deadlineMs: performance.now() + 1, expired: next });
  };
  deadlines.watch({ deadlineMs: performance.now(), expired: next });
  await until(() => told === 5);
  expect(deadlines.size).toBe(0);
});

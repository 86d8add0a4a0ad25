// What a backend gets done, and what requests that would wait are told: early refusal, and when to come back.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LoadEstimate, isHopeless, retryAfterMs } from "./load.ts";

/** A backend as the estimate sees it. Requests wait all the time unless said otherwise; one ends every `everyMs`, `together` at once. */
class World {
  readonly load = new LoadEstimate();
  now = 1_000_000;
  done = 0;
  inFlight = 4;
  waiting = false;

  wait(): this {
    this.waiting = true;
    this.load.begin(this.now, this.done);
    return this;
  }

  rest(): this {
    this.waiting = false;
    this.load.end(this.now, this.done, this.inFlight);
    return this;
  }

  /** Time passes; the estimate is looked at every 20 ms while requests wait, as the router does. */
  run(ms: number, everyMs: number, together = 1): this {
    const end = this.now + ms;
    let next = this.now + everyMs;
    while (this.now < end) {
      this.now += 1;
      while (next <= this.now) {
        this.done += together;
        next += everyMs;
      }
      if (this.waiting && this.now % 20 === 0) this.load.measure(this.now, this.done, this.inFlight);
    }
    return this;
  }

  /** Requests a second. */
  get rate(): number | null {
    const ms = this.load.timeFor(1, this.now, this.done, this.inFlight);
    return ms === null ? null : 1_000 / ms;
  }
}

const within = (value: number | null, wanted: number, part: number): void => {
  expect(value).toBeGreaterThan(wanted * (1 - part));
  expect(value).toBeLessThan(wanted * (1 + part));
};

test("nothing is known of a backend that is never kept waiting, however much it does", () => {
  expect(new World().run(60_000, 1).rate).toBeNull();
});

test("nothing is known until a backend has ended a few requests: its first ones may take long", () => {
  expect(new World().wait().run(50_000, 60_000).rate).toBeNull();
});

test.each([
  ["a quick one", 5, 1, 4],
  ["one of a single request at a time", 50, 1, 1],
  ["a slow one", 5_000, 1, 1],
  ["one whose hundred requests end together", 5_000, 100, 100],
  ["one of batches", 200, 50, 200],
])("what a backend gets done is known within a fifth: %s", (_name, everyMs, together, inFlight) => {
  const world = new World();
  world.inFlight = inFlight;
  world.wait().run(60_000, everyMs, together);
  within(world.rate, (1_000 / everyMs) * together, 0.2);
});

test("waits that are too short to be measured count together", () => {
  const world = new World();
  for (let i = 0; i < 50; i++) world.wait().run(20, 5).rest().run(200, 100);
  within(world.rate, 200, 0.25);
});

test("a backend that hangs is known after a second, by what can have happened at most", () => {
  const world = new World().wait().run(5_000, 2);
  within(world.rate, 500, 0.1);
  within(world.run(800, 10_000).rate, 500, 0.1);
  expect(world.run(400, 10_000).rate).toBeLessThanOrEqual(4);
  expect(world.run(60_000, 100_000).rate).toBeLessThan(0.1);
});

test("a backend that hung for an hour is trusted again a second after it is back", () => {
  const world = new World().wait().run(5_000, 2).run(600_000, 3_600_000);
  expect(world.rate).toBeLessThan(1);
  expect(world.run(1_000, 2).rate).toBeGreaterThan(350);
});

test("a measurement is forgotten when nothing has waited for a while", () => {
  const world = new World().wait().run(5_000, 1_000).rest();
  expect(world.rate).not.toBeNull();
  expect(world.run(11_000, 5).rate).toBeNull();
});

test("a rate is never negative nor beyond all that ended, whatever happens", () => {
  const step = fc.record({ ms: fc.nat(3_000), everyMs: fc.integer({ min: 1, max: 4_000 }), wait: fc.boolean(), inFlight: fc.nat(50) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const world = new World();
      for (const { ms, everyMs, wait, inFlight } of steps) {
        if (wait !== world.waiting) void (wait ? world.wait() : world.rest());
        world.inFlight = inFlight;
        const { rate } = world.run(ms, everyMs);
        if (rate === null) continue;
        expect(rate).toBeGreaterThanOrEqual(0);
        expect(rate).toBeLessThanOrEqual(1_001);
      }
    }),
    { numRuns: 200 },
  );
});

test.each([
  ["nothing known", 500, null, 1, false],
  ["in time", 500, 700, 1_000, false],
  ["too close", 500, 801, 1_000, true],
  ["far too late", 500, 90_000, 1_000, true],
  ["never, as it seems", 500, Number.POSITIVE_INFINITY, 60_000, true],
  ["hopeless, but too few wait to know for sure", 1, 90_000, 1_000, false],
  ["a deadline that is over", 2, 0, -5, true],
])("a request would miss its deadline: %s", (_name, waiting, expectedMs, leftMs, hopeless) => {
  expect(isHopeless(waiting, 2, expectedMs, leftMs)).toBe(hopeless);
});

test("a request is done when those ahead have left and it has run as long as requests run", () => {
  const world = new World();
  expect(world.load.timeUntilDone(100, world.now, 0, 1)).toBeNull();
  world.wait().run(5_000, 5);
  for (let i = 0; i < 100; i++) world.load.ran(300);
  const { now, done, inFlight } = world;
  within(world.load.timeFor(100, now, done, inFlight), 500, 0.1);
  within(world.load.timeUntilDone(100, now, done, inFlight), 800, 0.1);
  expect([world.load.fits(1_000), world.load.fits(350), world.load.fits(-1)]).toEqual([true, false, false]);
});

test.each([
  ["nothing known", null, 0, 1],
  ["nothing known, by chance later", null, 0.9, 2],
  ["soon", 40, 0.99, 1],
  ["in 4 s", 4_000, 0, 4],
  ["in 4 s, by chance half as much later", 4_000, 0.999, 6],
  ["in an hour", 3_600_000, 0, 60],
  ["never, as it seems", Number.POSITIVE_INFINITY, 0.5, 60],
])("a caller is told when to come back, in whole seconds: %s", (_name, expectedMs, random, seconds) => {
  expect(retryAfterMs(expectedMs, random)).toBe(seconds * 1_000);
});

test("when to come back is never under a second nor beyond its limit, and never before what is met is over", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), chance, (expectedMs, random) => {
      const ms = retryAfterMs(expectedMs, random);
      expect(ms % 1_000).toBe(0);
      expect(ms).toBeGreaterThanOrEqual(1_000);
      expect(ms).toBeLessThanOrEqual(60_000);
      expect(ms).toBeGreaterThanOrEqual(Math.min(expectedMs, 60_000));
    }),
  );
});

// The wheel of deadlines: what is due is found at the next look, once, and nothing else is.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { DeadlineWheel, type Due } from "./deadlines.ts";

class Item implements Due<Item> {
  readonly deadline: number;
  dueSlot = -1;
  duePrev: Item | null = null;
  dueNext: Item | null = null;
  constructor(deadline: number) {
    this.deadline = deadline;
  }
}

test("whatever comes, goes and comes due, a look finds exactly what is due, a bucket's width late at most", () => {
  /** What comes in late is due from then on. */
  const dueFrom = new WeakMap<Item, number>();
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ in: fc.oneof(fc.nat(200), fc.nat(100_000), fc.constant(-50)) }) },
    { weight: 2, arbitrary: fc.record({ gone: fc.nat(1_000) }) },
    { weight: 3, arbitrary: fc.record({ after: fc.oneof(fc.nat(60), fc.nat(90_000)) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(1_000_000), (steps, start) => {
      let now = start;
      const wheel = new DeadlineWheel<Item>();
      wheel.take(now);
      let live: Item[] = [];
      for (const what of steps) {
        if ("in" in what) {
          const item = new Item(now + what.in);
          wheel.add(item);
          live.push(item);
          dueFrom.set(item, Math.max(item.deadline, now));
        } else if ("gone" in what) {
          const [item] = live.splice(what.gone % Math.max(live.length, 1), 1);
          if (item !== undefined) wheel.remove(item);
        } else {
          now += what.after;
          const found = wheel.take(now);
          expect(new Set(found).size).toBe(found.length);
          for (const item of found) {
            expect(live).toContain(item);
            expect(item.deadline).toBeLessThanOrEqual(now);
            expect(item).toMatchObject({ dueSlot: -1, duePrev: null, dueNext: null });
          }
          live = live.filter((item) => !found.includes(item));
          for (const item of live) expect(dueFrom.get(item)).toBeGreaterThan(now - 20);
        }
        expect(wheel.size).toBe(live.length);
      }
    }),
  );
});

test("an item that was taken out is not found, and may be taken out again", () => {
  const wheel = new DeadlineWheel<Item>();
  const items = [1, 2, 3].map(() => new Item(50));
  for (const item of items) wheel.add(item);
  for (const item of items) {
    wheel.remove(item);
    wheel.remove(item);
  }
  expect(wheel.size).toBe(0);
  expect(wheel.take(1_000)).toEqual([]);
});

test("a wheel that stood still for hours goes on where it is", () => {
  const wheel = new DeadlineWheel<Item>();
  wheel.take(0);
  wheel.take(36_000_000);
  const item = new Item(36_000_100);
  wheel.add(item);
  expect(wheel.take(36_000_050)).toEqual([]);
  expect(wheel.take(36_000_130)).toEqual([item]);
});

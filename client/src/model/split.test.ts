// The split of traffic: even without a key, sticky with one, and moved as little as possible when weights change.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { backendOfKey, hashToUnit, nextPoint, nextShadowPoint, shareAt, shareOfKey } from "./split.ts";

/** Weights that add up to 1, some of them 0. */
const weights = fc
  .array(fc.nat(100), { minLength: 1, maxLength: 8 })
  .filter((parts) => parts.some((part) => part > 0))
  .map((parts) => {
    const sum = parts.reduce((a, b) => a + b, 0);
    return parts.map((part) => ({ weight: part / sum }));
  });
const start = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("of any number of requests in a row, each share gets its part give or take a few", () => {
  fc.assert(
    fc.property(weights, start, (shares, from) => {
      const counts = shares.map(() => 0);
      let point = from;
      for (let n = 1; n <= 2_000; n++) {
        const index = shareAt(shares, point);
        counts[index] = (counts[index] ?? 0) + 1;
        point = nextPoint(point);
        for (const [i, share] of shares.entries()) {
          // The discrepancy of the golden ratio's sequence grows with the logarithm of n; random draws would stray by 50 and more.
          if (Math.abs((counts[i] ?? 0) - share.weight * n) > 6) throw new Error(`share ${i} of ${n} requests got ${counts[i]}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("a shadow's sample does not depend on the split: each half of the split gives about half of the copies", () => {
  fc.assert(
    fc.property(start, start, (splitFrom, shadowFrom) => {
      let [split, shadow, copies, fromUpperHalf] = [splitFrom, shadowFrom, 0, 0];
      for (let n = 0; n < 1_000; n++) {
        split = nextPoint(split);
        shadow = nextShadowPoint(shadow);
        if (shadow >= 0.5) continue;
        copies++;
        if (split >= 0.5) fromUpperHalf++;
      }
      expect(Math.abs(copies - 500)).toBeLessThan(10);
      expect(Math.abs(fromUpperHalf - 250)).toBeLessThan(50);
    }),
    { numRuns: 100 },
  );
});

test("points stay in [0, 1) for ever", () => {
  let point = 0.999_999_999_999_999_9;
  for (let n = 0; n < 100_000; n++) {
    point = nextPoint(point);
    if (!(point >= 0 && point < 1)) throw new Error(`point ${point}`);
  }
});

test("a share of weight 0 is never chosen, with a key or without", () => {
  const shares = [
    { name: "none", weight: 0 },
    { name: "all", weight: 1 },
    { name: "also-none", weight: 0 },
  ];
  fc.assert(
    fc.property(start, fc.string(), (point, key) => {
      expect(shareAt(shares, point)).toBe(1);
      expect(shareOfKey(shares, key)).toBe(1);
    }),
  );
});

test("where nothing has weight, nothing is chosen", () => {
  for (const shares of [[], [{ name: "a", weight: 0 }]]) {
    expect(shareAt(shares, 0.5)).toBe(-1);
    expect(shareOfKey(shares, "k")).toBe(-1);
  }
});

test("weights that add up to a little less than 1 leave no gap", () => {
  const shares = [{ weight: 0.1 }, { weight: 0.2 }, { weight: 0.7 - 1e-12 }];
  expect(shareAt(shares, 1 - Number.EPSILON)).toBe(2);
});

const KEYS = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);
const split = (weight: number): { name: string; weight: number }[] => [
  { name: "stable", weight: 1 - weight },
  { name: "canary", weight },
];

test("keys spread as the weights say", () => {
  for (const weight of [0.01, 0.1, 0.5, 0.9]) {
    const hits = KEYS.filter((key) => shareOfKey(split(weight), key) === 1).length;
    expect(Math.abs(hits / KEYS.length - weight)).toBeLessThan(0.01);
  }
});

test("from 10 % to 20 % a tenth of the keys moves, all of them to the grown share", () => {
  let moved = 0;
  for (const key of KEYS) {
    const before = shareOfKey(split(0.1), key);
    const after = shareOfKey(split(0.2), key);
    if (before === after) continue;
    expect([before, after]).toEqual([0, 1]);
    moved++;
  }
  expect(Math.abs(moved / KEYS.length - 0.1)).toBeLessThan(0.01);
});

test("a backend that joins takes keys from the others and moves none between them", () => {
  const before = [
    { name: "a", weight: 0.5 },
    { name: "b", weight: 0.5 },
  ];
  const after = [
    { name: "a", weight: 0.4 },
    { name: "b", weight: 0.4 },
    { name: "c", weight: 0.2 },
  ];
  for (const key of KEYS) {
    const to = shareOfKey(after, key);
    if (to !== 2) expect(to).toBe(shareOfKey(before, key));
  }
});

test("a key sticks to its backend wherever that stands in the list", () => {
  const shares = split(0.3);
  const reversed = [...shares].reverse();
  for (const key of KEYS.slice(0, 2_000)) {
    expect(reversed[shareOfKey(reversed, key)]?.name).toBe(shares[shareOfKey(shares, key)]?.name);
  }
});

test("any string hashes to a number in [0, 1)", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const unit = hashToUnit(text);
      expect(unit >= 0 && unit < 1).toBe(true);
      expect(hashToUnit(text)).toBe(unit);
    }),
  );
});

/** Whole percentages over n backends, as weights. */
const percentages = (n: number): fc.Arbitrary<readonly number[]> =>
  fc.array(fc.nat(100), { minLength: n - 1, maxLength: n - 1 }).map((cuts) => {
    const edges = [0, ...cuts.sort((a, b) => a - b), 100];
    return edges.slice(1).map((edge, i) => (edge - (edges[i] ?? 0)) / 100);
  });
const named = (list: readonly number[]): { name: string; weight: number }[] => list.map((weight, i) => ({ name: `b${i}`, weight }));
const FEWER_KEYS = KEYS.slice(0, 4_000);

test("between two backends exactly the difference of a change moves, all of it from the one that shrinks to the one that grows", () => {
  fc.assert(
    fc.property(percentages(2), percentages(2), (before, after) => {
      let moved = 0;
      for (const key of FEWER_KEYS) {
        const from = shareOfKey(named(before), key);
        const to = shareOfKey(named(after), key);
        if (from === to) continue;
        moved++;
        if (!((after[from] ?? 0) < (before[from] ?? 0) && (after[to] ?? 0) > (before[to] ?? 0))) throw new Error(`${key}: ${from} → ${to}`);
      }
      // Five standard deviations of a sample of this size.
      expect(Math.abs(moved / FEWER_KEYS.length - Math.abs((after[0] ?? 0) - (before[0] ?? 0)))).toBeLessThan(0.04);
    }),
    { numRuns: 60 },
  );
});

test("a backend that grows while the others keep their proportions takes what it grows by, and nothing moves between the others", () => {
  fc.assert(
    fc.property(percentages(4), fc.integer({ min: 0, max: 100 }), (before, percent) => {
      const grown = Math.max(before[0] ?? 0, percent / 100);
      const rest = 1 - (before[0] ?? 0);
      const after = before.map((weight, i) => (i === 0 ? grown : rest === 0 ? 0 : (weight * (1 - grown)) / rest));
      let moved = 0;
      for (const key of FEWER_KEYS) {
        const from = shareOfKey(named(before), key);
        const to = shareOfKey(named(after), key);
        if (from === to) continue;
        moved++;
        if (to !== 0) throw new Error(`${key}: ${from} → ${to}`);
      }
      expect(Math.abs(moved / FEWER_KEYS.length - (grown - (before[0] ?? 0)))).toBeLessThan(0.04);
    }),
    { numRuns: 40 },
  );
});

test("in any change a key moves only to a backend that grows by a larger factor than the one it leaves", () => {
  fc.assert(
    fc.property(percentages(5), percentages(5), (before, after) => {
      for (const key of FEWER_KEYS.slice(0, 1_000)) {
        const from = shareOfKey(named(before), key);
        const to = shareOfKey(named(after), key);
        if (from === to) continue;
        const [wasFrom = 0, isFrom = 0, wasTo = 0, isTo = 0] = [before[from], after[from], before[to], after[to]];
        if (isTo * wasFrom <= isFrom * wasTo) throw new Error(`${key}: ${from} → ${to}`);
      }
    }),
    { numRuns: 60 },
  );
});

test("the backend of a key by a split is the one that requests with it go to", () => {
  for (const key of KEYS.slice(0, 200)) {
    const traffic = split(0.3).map(({ name, weight }) => ({ backend: name, weight }));
    expect(backendOfKey(traffic, key)).toBe(split(0.3)[shareOfKey(split(0.3), key)]?.name);
  }
});

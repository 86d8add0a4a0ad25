// The choice of a replica: never a closed or full one, never the one that just failed where there is another.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { pickReplica } from "./picker.ts";

const candidate = fc.record({ inFlight: fc.nat(6), most: fc.nat(6), open: fc.boolean() });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("what is chosen can take the request; nothing is chosen only where nothing can", () => {
  fc.assert(
    fc.property(fc.array(candidate, { maxLength: 8 }), chance, fc.nat(7), (all, random, avoided) => {
      const usable = all.filter((one) => one.open && one.inFlight < one.most);
      const avoid = all[avoided] ?? null;
      const index = pickReplica(all, random, avoid);
      const chosen = all[index];
      if (usable.length === 0) expect(index).toBe(-1);
      else if (chosen === undefined) throw new Error("nothing was chosen");
      else {
        expect(usable).toContain(chosen);
        if (usable.length > 1) expect(chosen).not.toBe(avoid);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("of two replicas the less busy one is chosen, whatever the draw", () => {
  const two = [
    { inFlight: 3, most: 10, open: true },
    { inFlight: 1, most: 10, open: true },
  ];
  for (let random = 0; random < 1; random += 0.01) expect(pickReplica(two, random)).toBe(1);
});

test("the busiest of many is chosen by no draw", () => {
  const many = Array.from({ length: 5 }, (_, i) => ({ inFlight: i === 2 ? 9 : 1, most: 100, open: true }));
  for (let random = 0; random < 1; random += 0.001) expect(pickReplica(many, random)).not.toBe(2);
});

test("equal replicas are drawn equally often", () => {
  const counts = [0, 0, 0, 0];
  const equal = counts.map(() => ({ inFlight: 0, most: 1, open: true }));
  for (let i = 0; i < 10_000; i++) {
    const index = pickReplica(equal, i / 10_000);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 2_500)).toBeLessThan(20);
});

test("a single replica that failed is tried again rather than none", () => {
  const only = { inFlight: 0, most: 1, open: true };
  expect(pickReplica([only], 0.5, only)).toBe(0);
  expect(pickReplica([only, { inFlight: 0, most: 1, open: false }], 0.5, only)).toBe(0);
});

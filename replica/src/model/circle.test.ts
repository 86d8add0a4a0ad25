// How deep requests lie in circles of calls.
import { expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import fc from "fast-check";
import { circleDepth } from "./circle.ts";

test.each<[string, readonly string[], number]>([
  ["one from outside", [], 0],
  ["one that another backend's handler made", ["front"], 0],
  ["one that came by many backends, each of them once", ["front", "middle", "back"], 0],
  ["one that the backend's own handler made", ["a"], 1],
  ["one that it made of such a one", ["a", "a"], 2],
  ["one that comes back by way of another", ["a", "b"], 2],
  ["one that comes back to where it did not begin", ["front", "a", "b"], 3],
  ["one that left a circle of others", ["b", "b"], 2],
  ["one whose way is longer than any may be", Array.from({ length: 100 }, () => "a"), LIMITS.callDepth],
])("%s", (_name, via, depth) => {
  expect(circleDepth(via, "a")).toBe(depth);
});

test("whatever is called for a request in a circle lies deeper than it", () => {
  const backend = fc.constantFrom("a", "b", "c", "d");
  fc.assert(
    fc.property(fc.array(backend, { maxLength: LIMITS.callDepth - 1 }), backend, backend, (via, here, next) => {
      const depth = circleDepth(via, here);
      if (depth > 0) expect(circleDepth([...via, here], next)).toBeGreaterThan(depth);
    }),
  );
});

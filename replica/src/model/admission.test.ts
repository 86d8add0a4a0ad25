// The door of a replica: never more inside than its limit, and everybody who waits gets a turn.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Admission, KEEP_MS } from "./admission.ts";

test("whatever bridges do and however the limit changes, nobody is let in above it, and no place is lost", () => {
  const caller = fc.constantFrom("a", "b", "c", null);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ enter: caller }) },
    { weight: 5, arbitrary: fc.constant("leave" as const) },
    { weight: 3, arbitrary: fc.constant("next" as const) },
    { weight: 2, arbitrary: fc.record({ answer: fc.constantFrom("a", "b", "c"), more: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ gone: fc.constantFrom("a", "b", "c") }) },
    { weight: 1, arbitrary: fc.record({ after: fc.nat(2 * KEEP_MS) }) },
    { weight: 1, arbitrary: fc.record({ limit: fc.integer({ min: 1, max: 5 }) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const door = new Admission<string>(2);
      let now = 0;
      let inside = 0;
      for (const what of steps) {
        if (what === "leave") {
          if (inside > 0) door.leave();
          inside = Math.max(0, inside - 1);
        } else if (what === "next") {
          const next = door.next(now);
          if (next !== null) expect(next.places).toBeGreaterThan(0);
        } else if ("enter" in what) {
          const before = inside;
          if (door.enter(what.enter) === null) inside++;
          if (inside > before) expect(inside).toBeLessThanOrEqual(door.limit);
        } else if ("answer" in what) door.answer(what.answer, what.more);
        else if ("gone" in what) door.forget(what.gone);
        else if ("after" in what) door.expire((now += what.after));
        else door.limit = what.limit;
        expect(door.inFlight).toBe(inside);
      }
      // With everybody gone all places are free.
      for (const name of ["a", "b", "c"]) door.forget(name);
      for (; inside > 0; inside--) door.leave();
      const free = Array.from({ length: door.limit + 1 }, () => door.enter(null));
      expect(free).toEqual([...Array.from({ length: door.limit }, () => null), "replica_busy"]);
      expect([door.contended, door.keeping]).toEqual([false, false]);
    }),
  );
});

test("three bridges with more to send than one place takes are served in turn", () => {
  const door = new Admission<string>(1);
  const served: string[] = [];
  expect(door.enter("quick")).toBeNull();
  expect([door.enter("b"), door.enter("c")]).toEqual(["replica_busy", "replica_busy"]);
  for (let i = 0; i < 9; i++) {
    door.leave();
    const next = door.next(0);
    // The quick one's request is there before anybody else's.
    expect(door.enter("quick") === null).toBe(next?.caller === "quick");
    if (next === null) throw new Error("nobody was next");
    if (next.caller !== "quick") expect(door.enter(next.caller)).toBeNull();
    door.answer(next.caller, true);
    served.push(next.caller);
  }
  expect(served).toEqual(["b", "c", "quick", "b", "c", "quick", "b", "c", "quick"]);
});

test("a place that is kept goes to nobody else, until its time is over or it is given back", () => {
  const door = new Admission<string>(1);
  door.enter("a");
  door.enter("b");
  door.leave();
  expect(door.next(1_000)).toEqual({ caller: "b", places: 1 });
  expect([door.enter("a"), door.enter(null)]).toEqual(["replica_busy", "replica_busy"]);
  door.expire(1_000 + KEEP_MS - 1);
  expect([door.keeping, door.next(1_000)]).toEqual([true, null]);
  door.expire(1_000 + KEEP_MS);
  expect(door.next(1_100)).toEqual({ caller: "a", places: 1 });
  door.answer("a", false);
  expect(door.enter(null)).toBeNull();
});

test("places that are free at once are shared among those in line", () => {
  const door = new Admission<string>(1);
  door.enter(null);
  for (const name of ["a", "b", "c"]) door.enter(name);
  door.limit = 8;
  const given = [door.next(0), door.next(0), door.next(0), door.next(0)];
  expect(given).toEqual([{ caller: "a", places: 3 }, { caller: "b", places: 2 }, { caller: "c", places: 2 }, null]);
});

test("a draining replica lets nobody in and keeps no place", () => {
  const door = new Admission<string>(1);
  door.enter("a");
  door.enter("b");
  door.draining = true;
  door.leave();
  expect([door.enter("a"), door.enter(null), door.next(0)]).toEqual(["draining", "draining", null]);
});

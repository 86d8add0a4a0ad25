// The door of a replica: never more inside than its limit, and everybody who waits gets a turn.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Admission, KEEP_MS, PATIENCE_MS } from "./admission.ts";

test("whatever bridges do and however the limit changes, nobody is let in above it, and no place is lost", () => {
  const caller = fc.constantFrom("a", "b", "c", null);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ enter: caller, circle: fc.boolean() }) },
    { weight: 5, arbitrary: fc.constant("leave" as const) },
    { weight: 3, arbitrary: fc.record({ idle: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ stand: fc.constantFrom("a", "b", "c") }) },
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
        } else if ("idle" in what) {
          const next = door.next(now, what.idle);
          if (next !== null) expect(next.places).toBeGreaterThan(0);
        } else if ("enter" in what) {
          const before = inside;
          if (door.enter(what.enter, what.circle ? 0 : null) === null) inside++;
          if (inside > before) expect(inside).toBeLessThanOrEqual(door.limit);
        } else if ("stand" in what) door.standInLine(what.stand, now);
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

/** A replica of one place whose requests take a while, and three bridges that always have more; "quick" is there before the others. */
function turnsOf(requestMs: number, requests: number): readonly string[] {
  const door = new Admission<string>(1);
  const served = ["quick"];
  let now = 0;
  door.enter("quick");
  door.standInLine("b", now);
  door.standInLine("c", now);
  while (served.length < requests) {
    now += requestMs;
    door.leave();
    const next = door.next(now, false);
    // Who had the place sends its next request at once, and is refused where the place is kept.
    const last = served.at(-1) ?? "";
    if (door.enter(last) === null) {
      if (next === null) served.push(last);
    } else door.standInLine(last, now);
    if (next !== null && next.caller !== last) {
      expect(door.enter(next.caller)).toBeNull();
      served.push(next.caller);
    }
  }
  return served;
}

test("bridges that always have more to send are served in turn: one by one where requests take long", () => {
  expect(turnsOf(PATIENCE_MS, 9)).toEqual(["quick", "b", "c", "quick", "b", "c", "quick", "b", "c"]);
});

test("bridges that always have more to send are served in turn: some at a time where requests are short", () => {
  const served = turnsOf(1, 3_000);
  for (const name of ["quick", "b", "c"]) {
    const share = served.filter((each) => each === name).length;
    expect(share).toBeGreaterThan(900);
    expect(share).toBeLessThan(1_100);
  }
  // Handing the place over costs time, so that it is not done at each request.
  const handedOver = served.filter((each, index) => index > 0 && each !== served[index - 1]).length;
  expect(handedOver).toBeLessThan((2 * 3_000) / PATIENCE_MS + 2);
});

test("a place that is kept goes to nobody else, until its time is over or it is given back", () => {
  const door = new Admission<string>(1);
  door.enter("a");
  door.standInLine("b", 0);
  door.leave();
  expect(door.next(1_000, false)).toEqual({ caller: "b", places: 1 });
  expect([door.enter("a"), door.enter(null), door.hasRoom]).toEqual(["replica_busy", "replica_busy", false]);
  door.standInLine("a", 1_000);
  door.expire(1_000 + KEEP_MS - 1);
  expect([door.keeping, door.next(2_000, true)]).toEqual([true, null]);
  door.expire(1_000 + KEEP_MS);
  expect(door.next(2_000, true)).toEqual({ caller: "a", places: 1 });
  door.forget("a");
  expect(door.enter(null)).toBeNull();
});

test("a free place goes to whose request is there first, unless somebody has stood in line for a while or nobody takes it", () => {
  const door = new Admission<string>(1);
  door.standInLine("b", 0);
  expect(door.next(PATIENCE_MS - 1, false)).toBeNull();
  expect(door.enter("a")).toBeNull();
  door.leave();
  expect(door.next(PATIENCE_MS - 1, true)).toEqual({ caller: "b", places: 1 });
});

test("places that are free at once are shared among those in line", () => {
  const door = new Admission<string>(1);
  door.enter(null);
  for (const name of ["a", "b", "c"]) door.standInLine(name, 0);
  door.limit = 8;
  const given = Array.from({ length: 4 }, () => door.next(0, true));
  expect(given).toEqual([{ caller: "a", places: 3 }, { caller: "b", places: 2 }, { caller: "c", places: 2 }, null]);
});

test("a draining replica lets nobody in and keeps no place", () => {
  const door = new Admission<string>(1);
  door.enter("a");
  door.standInLine("b", 0);
  door.draining = true;
  door.leave();
  expect([door.enter("a"), door.enter(null), door.next(1_000, true)]).toEqual(["draining", "draining", null]);
});

test("who is called for others inside gets in for those that make way, and never so that more than the limit run", () => {
  const door = new Admission<string>(4);
  for (let i = 0; i < 4; i++) door.enter("a");
  // One runs, three gather.
  const let3in = Array.from({ length: 4 }, () => door.enter("b", 3));
  expect(let3in).toEqual([null, null, null, "replica_busy"]);
  expect([door.inFlight, door.hasRoom, door.enter("a")]).toEqual([7, false, "replica_busy"]);
  door.draining = true;
  expect(door.enter("b", 7)).toBe("draining");
});

test("a call in a circle takes a free place that is kept for another, who stands in line again", () => {
  const door = new Admission<string>(2);
  door.enter("a");
  door.standInLine("b", 0);
  expect(door.next(1_000, false)).toEqual({ caller: "b", places: 1 });
  expect([door.enter("a"), door.enter("a", 0), door.enter("a", 0)]).toEqual(["replica_busy", null, "replica_busy"]);
  expect([door.enter("b"), door.inFlight]).toEqual(["replica_busy", 2]);
  door.leave();
  expect(door.enter("b")).toBeNull();
});

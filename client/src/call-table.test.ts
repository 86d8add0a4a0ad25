// Calls by number: a number never leads to another call, and room is found whatever comes and goes.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Call } from "./call.ts";
import { CallTable } from "./call-table.ts";

const SINK = { head: () => true, body: () => true, release: () => true, fault() {}, writable() {} };
const newCall = (id = ""): Call => new Call("e", "GET", "/", [], id, 0, SINK);

/** Adds a call as a session does. */
function add(table: CallTable): Call {
  const call = newCall();
  call.streamId = table.add(call);
  return call;
}

test("whatever comes and goes, each number leads to its own call and old numbers to none", () => {
  // true: a call comes; a number: the call at that place goes.
  const step = fc.oneof({ weight: 3, arbitrary: fc.constant(true as const) }, { weight: 2, arbitrary: fc.nat(10_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1_500, size: "max" }), (steps) => {
      const table = new CallTable();
      const live: Call[] = [];
      const gone: number[] = [];
      const used = new Set<number>();
      for (const what of steps) {
        if (what === true) {
          const call = add(table);
          if (used.has(call.streamId)) throw new Error(`number ${call.streamId} was used twice`);
          used.add(call.streamId);
          live.push(call);
        } else if (live.length > 0) {
          const [call] = live.splice(what % live.length, 1);
          if (call === undefined) continue;
          expect(table.delete(call)).toBe(true);
          gone.push(call.streamId);
        }
      }
      expect(table.size).toBe(live.length);
      expect(new Set(table.values())).toEqual(new Set(live));
      for (const call of live) if (table.get(call.streamId) !== call) throw new Error(`call ${call.streamId} is lost`);
      for (const id of gone) if (table.get(id) !== null) throw new Error(`number ${id} leads to another call`);
    }),
    { numRuns: 50 },
  );
});

test("a call that runs for long keeps its number while thousands come and go", () => {
  const table = new CallTable();
  const long = add(table);
  for (let i = 0; i < 10_000; i++) table.delete(add(table));
  expect(table.get(long.streamId)).toBe(long);
  expect(table.size).toBe(1);
});

test("numbers that were never given lead to nothing", () => {
  const table = new CallTable();
  const call = add(table);
  for (const id of [0, -1, call.streamId + 1, call.streamId + 64, 0xffff_ffff, Number.NaN]) expect(table.get(id)).toBeNull();
});

test("a call goes out once, and one that is not in goes out never", () => {
  const table = new CallTable();
  const call = add(table);
  const other = newCall();
  other.streamId = call.streamId;
  expect([table.delete(other), table.delete(call), table.delete(call), table.size]).toEqual([false, true, false, 0]);
});

test("all calls can be gone through while they are taken out, and taken out at once", () => {
  const table = new CallTable();
  const calls = Array.from({ length: 100 }, () => add(table));
  const seen: Call[] = [];
  for (const call of table.values()) {
    seen.push(call);
    if (call.streamId % 2 === 0) table.delete(call);
  }
  expect(seen).toHaveLength(100);
  expect(new Set(table.clear())).toEqual(new Set(calls.filter((call) => call.streamId % 2 !== 0)));
  expect([table.size, [...table.values()]]).toEqual([0, []]);
  const next = add(table);
  expect(calls.some((call) => call.streamId === next.streamId)).toBe(false);
});

// What becomes of a replica, event by event.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { fault } from "@headgate/core";
import { type Replica, type ReplicaEvent, launched, step } from "./observed.ts";

const fresh = launched({ id: "b-1", backend: "b", generation: 1, address: "unix:/r", startedAtMs: 5, pid: 10 });
const registered: ReplicaEvent = { kind: "registered", pid: 11 };
const ready: ReplicaEvent = { kind: "ready", transport: "session", acceptsBatches: false, configured: 3 };
const drain: ReplicaEvent = { kind: "drain", deadlineMs: 100 };
const died: ReplicaEvent = { kind: "gone", failure: fault("replica_exited", "it ended") };

const run = (...events: readonly ReplicaEvent[]): Replica => events.reduce(step, fresh);

test("a replica is launched, registers, serves, drains and is gone", () => {
  expect(fresh.state).toBe("launching");
  expect(run(registered)).toMatchObject({ state: "warming", pid: 11 });
  expect(run(registered, ready)).toMatchObject({ state: "serving", transport: "session", configured: 3 });
  expect(run(registered, ready, drain)).toMatchObject({ state: "draining", told: false, drained: false, deadlineMs: 100 });
  expect(run(registered, ready, drain, { kind: "toldToDrain" }, { kind: "drained" })).toMatchObject({ told: true, drained: true });
  expect(run(registered, ready, drain, died)).toMatchObject({ state: "gone", served: true });
});

test("one that never served is told apart from one that did", () => {
  expect(run(registered, died)).toMatchObject({ state: "gone", served: false });
  expect(run(registered, ready, died)).toMatchObject({ state: "gone", served: true });
});

test("it cannot serve before it has registered", () => {
  expect(run(ready)).toBe(fresh);
});

test("settings never go back", () => {
  expect(run(registered, ready, { kind: "configured", number: 2 })).toMatchObject({ configured: 3 });
  expect(run(registered, ready, { kind: "configured", number: 8 })).toMatchObject({ configured: 8 });
});

test("a second drain can only come earlier", () => {
  expect(run(registered, ready, drain, { kind: "drain", deadlineMs: 50 })).toMatchObject({ deadlineMs: 50 });
  expect(run(registered, ready, drain, { kind: "drain", deadlineMs: 500 })).toMatchObject({ deadlineMs: 100 });
});

const events: fc.Arbitrary<ReplicaEvent> = fc.constantFrom<ReplicaEvent>(
  registered,
  ready,
  drain,
  died,
  { kind: "load", load: { inFlight: 1, completed: 2, memoryBytes: 3 } },
  { kind: "configured", number: 4 },
  { kind: "toldToDrain" },
  { kind: "drained" },
);
const ORDER = ["launching", "warming", "serving", "draining", "gone"];

test("whatever happens in whatever order, a replica never goes back and keeps who it is", () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 30 }), (list) => {
      let replica = fresh;
      for (const event of list) {
        const next = step(replica, event);
        expect(ORDER.indexOf(next.state)).toBeGreaterThanOrEqual(ORDER.indexOf(replica.state));
        expect(next).toMatchObject({ id: "b-1", backend: "b", generation: 1, address: "unix:/r" });
        replica = next;
      }
    }),
  );
});

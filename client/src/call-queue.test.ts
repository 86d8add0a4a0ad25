// The queue: first come, first served, also for those that a replica has sent back, and anybody may leave.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Call } from "./call.ts";
import { CallQueue } from "./call-queue.ts";

const SINK = { head: () => true, body: () => true, release: () => true, fault() {}, writable() {} };

function newCall(order: number): Call {
  const call = new Call("e", "GET", "/", [], "", 0, SINK);
  call.order = order;
  return call;
}

test("whoever came first is served first, whatever leaves and comes back in whatever order", () => {
  const step = fc.oneof(
    fc.record({ come: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ serve: fc.nat(5) }),
    fc.record({ leave: fc.nat(20) }),
  );
  fc.assert(
    // Numbers start close to where they wrap around.
    fc.property(fc.array(step), fc.constantFrom(0, 0x7fff_fff0, -10), fc.array(fc.nat(), { minLength: 1 }), (steps, start, shuffle) => {
      const queue = new CallQueue();
      let next: number = start;
      let wanted: Call[] = [];
      for (const what of steps) {
        if ("come" in what) {
          for (let i = 0; i < what.come; i++) {
            const call = newCall((next = (next + 1) | 0));
            queue.add(call);
            wanted.push(call);
          }
        } else if ("serve" in what) {
          // Some go to a replica, which sends them back in an order of its own.
          const served = wanted.slice(0, what.serve);
          for (const call of served) {
            expect(queue.first()).toBe(call);
            queue.remove(call);
          }
          for (const at of shuffle) served.push(...served.splice(at % Math.max(served.length, 1), 1));
          for (const call of served) queue.add(call);
        } else {
          const call = wanted[what.leave % Math.max(wanted.length, 1)];
          if (call === undefined) continue;
          queue.remove(call);
          queue.remove(call);
          wanted = wanted.filter((other) => other !== call);
        }
        expect(queue.calls()).toEqual(wanted);
        expect([queue.size, queue.first()]).toEqual([wanted.length, wanted[0] ?? null]);
      }
    }),
  );
});

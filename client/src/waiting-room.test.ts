// Those who wait for a replica: what they are told when there is none.
import { expect, test } from "@jest/globals";
import { Call, type CallSink } from "./call.ts";
import { WaitingRoom } from "./waiting-room.ts";

const SINK: CallSink = { head: () => true, body: () => true, release: () => true, fault: () => undefined, writable: () => undefined };

test("Retry-After is as long as the backend has been without a replica, and earlier times without one do not count", () => {
  const room = new WaitingRoom({ name: "b", done: 0, running: 0, openReplicas: 0 }, () => 0);
  /** A request that waits for 3 s from a time on. */
  const toldAfter3s = (now: number): number => {
    const call = new Call("e", "GET", "/", [], "r", Number.MAX_SAFE_INTEGER, SINK);
    room.enter(call, now);
    expect(room.look(now)).toEqual([]);
    expect(room.look(now + 3_000)).toEqual([call]);
    room.leave(call, now + 3_000);
    return room.forsaken(call, now + 3_000).retryAfterMs;
  };
  expect(toldAfter3s(0)).toBe(3_000);
  expect(toldAfter3s(4_000)).toBe(7_000);
  room.reached();
  expect(toldAfter3s(100_000)).toBe(3_000);
});

// When a batch leaves: the rules of batch-window.ts one by one, then all of them over any sequence of events.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type BatchWindow, type WindowDecision, type WindowEvent, type WindowLimits, decide, freshWindow, step } from "./batch-window.ts";

const LIMITS: WindowLimits = { maxBatchSize: 4, batchWaitTimeoutMs: 10, maxConcurrentBatches: 1 };
const FLUSH = (size: number): WindowDecision => ({ kind: "flush", size });
const HOLD: WindowDecision = { kind: "wait", untilMs: null };

/** The window after events at their times. */
function after(events: readonly (readonly [number, WindowEvent])[], limits = LIMITS): BatchWindow {
  return events.reduce((window, [nowMs, event]) => step(window, event, limits, nowMs), freshWindow(limits, 0));
}
const came = { kind: "came" } as const;
const ended = { kind: "ended" } as const;
const taken = (size: number, oldestMs = 0) => ({ kind: "taken", size, oldestMs }) as const;
const left = (oldestMs: number) => ({ kind: "left", oldestMs }) as const;
const many = (count: number, nowMs: number) => Array.from({ length: count }, () => [nowMs, came] as const);

const ZERO = { ...LIMITS, batchWaitTimeoutMs: 0 };
const TWO = { ...LIMITS, maxConcurrentBatches: 2 };

test.each<[string, readonly (readonly [number, WindowEvent])[], WindowLimits, number, number, WindowDecision]>([
  ["nothing waits: nothing to do", [], LIMITS, 100, 0, HOLD],
  ["a full batch leaves", many(4, 0), LIMITS, 100, 0, FLUSH(4)],
  ["more than a full batch leaves as a full batch", many(9, 0), LIMITS, 100, 0, FLUSH(4)],
  ["no further request can come: what waits leaves", many(2, 0), LIMITS, 0, 0, FLUSH(2)],
  ["without a waiting time what came in a turn leaves", many(3, 0), ZERO, 100, 0, FLUSH(3)],
  ["the first request of all waits, as its method's rate is not known", many(1, 0), LIMITS, 100, 0, { kind: "wait", untilMs: 5 }],
  ["nothing came meanwhile: it leaves", many(1, 0), LIMITS, 100, 5, FLUSH(1)],
  ["a batch runs: requests gather, however many", [...many(1, 0), [0, taken(1)], ...many(9, 1)], LIMITS, 100, 50, HOLD],
  [
    "a batch ended: what gathered behind it leaves at once",
    [...many(1, 0), [0, taken(1)], ...many(2, 1), [2, ended]],
    LIMITS,
    100,
    2,
    FLUSH(2),
  ],
  [
    "a batch ended while more than a batch waits: a full one leaves",
    [...many(4, 0), [0, taken(4)], ...many(6, 1), [9, ended]],
    LIMITS,
    100,
    9,
    FLUSH(4),
  ],
  [
    "what comes in the turn after a batch's end leaves with that turn",
    [...many(1, 0), [0, taken(1)], [2, ended], ...many(2, 2)],
    LIMITS,
    100,
    2,
    FLUSH(2),
  ],
  [
    "who gathered and left again leaves nothing to do",
    [...many(1, 0), [0, taken(1)], [1, came], [2, left(0)], [3, ended]],
    LIMITS,
    100,
    3,
    HOLD,
  ],
  ["a second batch may start where two may run", [...many(4, 0), [0, taken(4)], ...many(4, 1)], TWO, 100, 1, FLUSH(4)],
  ["a third may not", [...many(8, 0), [0, taken(4)], [0, taken(4)], ...many(4, 1)], TWO, 100, 1, HOLD],
])("%s", (_name, events, limits, room, nowMs, decision) => {
  expect(decide(after(events, limits), limits, room, nowMs)).toEqual(decision);
});

test("what comes later than the turn after a batch's end waits for more", () => {
  const window = after([...many(3, 0), [0, taken(3)], [2, ended], [2, { kind: "passed" }], ...many(1, 3)]);
  expect(decide(window, LIMITS, 100, 3)).toMatchObject({ kind: "wait", untilMs: expect.any(Number) });
});

test("a caller who sends one request after the other waits once in vain and then no more", () => {
  let window = freshWindow(LIMITS, 0);
  const waits: number[] = [];
  let nowMs = 0;
  for (let request = 0; request < 5; request++) {
    window = step(window, came, LIMITS, nowMs);
    const begunMs = nowMs;
    for (;;) {
      const decision = decide(window, LIMITS, 100, nowMs);
      if (decision.kind === "flush") break;
      nowMs = decision.untilMs ?? Number.NaN;
    }
    waits.push(nowMs - begunMs);
    window = step(window, taken(1), LIMITS, nowMs);
    nowMs += 3;
    window = step(window, ended, LIMITS, nowMs);
    nowMs += 1;
  }
  expect(waits).toEqual([5, 0, 0, 0, 0]);
});

/** How long the only request that waits does so, where no other one comes. */
function waitOf(start: BatchWindow, limits: WindowLimits, begunMs: number): number {
  let nowMs = begunMs;
  for (;;) {
    const decision = decide(start, limits, 100, nowMs);
    if (decision.kind === "flush") return nowMs - begunMs;
    nowMs = decision.untilMs ?? Number.NaN;
  }
}

/** A method to which one request has come each `gapMs` for a while, none of which waits any more. */
function busy(limits: WindowLimits, gapMs: number): BatchWindow {
  let window = freshWindow(limits, 0);
  for (let nowMs = 0; nowMs < 1_000; nowMs += gapMs) {
    window = step(window, came, limits, nowMs);
    if (window.waiting < 9) continue;
    window = step(window, taken(9), limits, nowMs);
    window = step(step(window, ended, limits, nowMs), { kind: "passed" }, limits, nowMs);
  }
  return { ...window, waiting: 0 };
}

test("where requests keep coming a batch waits for them, until one less than one more is to be expected", () => {
  const limits = { ...LIMITS, maxBatchSize: 100, batchWaitTimeoutMs: 3 };
  const window = step(busy(limits, 1), came, limits, 1_000);
  // One comes each millisecond and counts unless it finds nobody there: there is hope until a little more than that before the end.
  expect(waitOf(window, limits, 1_000)).toBeGreaterThan(1);
  expect(waitOf(window, limits, 1_000)).toBeLessThan(2.1);
});

test.each([10, 1_000, 60_000])(
  "where requests came quickly and have stopped, the last one does not wait for %d ms",
  (batchWaitTimeoutMs) => {
    const limits = { ...LIMITS, maxBatchSize: 100, batchWaitTimeoutMs };
    const before = busy(limits, 0.25);
    const window = step(before, came, limits, 100_000);
    expect(waitOf(window, limits, 100_000)).toBeLessThan(Math.min(batchWaitTimeoutMs / 2, (10 * before.exposureMs) / before.arrivals));
  },
);

test("whatever happens: batches within their bounds, nobody forgotten, and no hope beyond batchWaitTimeoutMs", () => {
  const event = fc.record({
    kind: fc.constantFrom("came", "came", "came", "left", "ended", "time" as const),
    afterMs: fc.double({ min: 0, max: 30, noNaN: true }),
  });
  const limits = fc.record({
    maxBatchSize: fc.integer({ min: 1, max: 6 }),
    batchWaitTimeoutMs: fc.constantFrom(0, 1, 10, 1000),
    maxConcurrentBatches: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(limits, fc.array(event, { maxLength: 60 }), fc.integer({ min: 0, max: 20 }), (bounds, events, room) => {
      let window = freshWindow(bounds, 0);
      let queue: number[] = [];
      let nowMs = 0;
      let cameCount = 0;
      let goneCount = 0;
      for (const { kind, afterMs } of events) {
        nowMs += afterMs;
        if (kind === "came") {
          queue.push(nowMs);
          cameCount++;
          window = step(window, came, bounds, nowMs);
        } else if (kind === "left" && queue.length > 0) {
          queue.pop();
          goneCount++;
          window = step(window, left(queue[0] ?? 0), bounds, nowMs);
        } else if (kind === "ended" && window.running > 0) window = step(window, ended, bounds, nowMs);
        else if (kind === "time") window = step(window, { kind: "passed" }, bounds, nowMs);
        for (;;) {
          const decision = decide(window, bounds, room, nowMs);
          if (decision.kind === "wait") {
            const free = window.running < bounds.maxConcurrentBatches;
            if (queue.length === 0 || !free) expect(decision.untilMs).toBeNull();
            else {
              expect(queue.length).toBeLessThan(bounds.maxBatchSize);
              expect(decision.untilMs).toBeGreaterThan(nowMs);
              expect(decision.untilMs).toBeLessThanOrEqual((queue[0] ?? 0) + bounds.batchWaitTimeoutMs);
            }
            break;
          }
          expect(decision.size).toBeGreaterThan(0);
          expect(decision.size).toBeLessThanOrEqual(bounds.maxBatchSize);
          queue = queue.slice(decision.size);
          goneCount += decision.size;
          window = step(window, taken(decision.size, queue[0] ?? 0), bounds, nowMs);
          expect(window.running).toBeLessThanOrEqual(bounds.maxConcurrentBatches);
        }
        expect(window.waiting).toBe(queue.length);
        expect(cameCount - goneCount).toBe(queue.length);
      }
    }),
  );
});

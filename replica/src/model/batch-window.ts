// When a batch of one method leaves. Pure: what has happened comes in as steps, the time as an argument.
//
// 1. At most maxConcurrentBatches of a method run. While that many do, requests gather behind them.
// 2. A batch that is full leaves: maxBatchSize requests wait, or no further one can come (the replica is full or drains).
// 3. What has gathered behind a running batch leaves when one ends, and with it what comes in the turn after that: a handler
//    that keeps the event loop busy has kept those requests from being read. So batches grow with the load by themselves: at
//    L requests/ms and a batch of n that takes S(n) ms, n settles at L * S(n), and no time is spent on hope.
// 4. Requests that wait while a batch could start wait in the hope of more: at most batchWaitTimeoutMs from the first of
//    them, only as long as the rate says that at least one more comes in what is left of that time, and no longer than
//    PATIENCE times what usually lies between two requests: then those that kept coming have stopped.
//
// The rate counts requests that came while others waited or ran, over the time in which others did. A caller who sends its
// next request when it has its answer never counts, as no waiting would bring that request. Older time counts less and less.
// Before anything is known, two are expected in batchWaitTimeoutMs: the first request waits, and what comes of it is learnt.

/** The settings that decide. */
export interface WindowLimits {
  readonly maxBatchSize: number;
  readonly batchWaitTimeoutMs: number;
  readonly maxConcurrentBatches: number;
}

/** What is known of one method. */
export interface BatchWindow {
  /** Requests that wait. */
  readonly waiting: number;
  /** When the first of them came; of no meaning while none waits. */
  readonly oldestMs: number;
  /** When the last request came. */
  readonly latestMs: number;
  /** Batches that run. */
  readonly running: number;
  /** Whether those that wait had no choice: as many batches ran as may, or one has just ended. */
  readonly behind: boolean;
  /** Requests that came while others waited or ran. */
  readonly arrivals: number;
  /** Time in which others waited or ran, in milliseconds. */
  readonly exposureMs: number;
  /** Up to when exposureMs counts. */
  readonly seenMs: number;
}

export type WindowEvent =
  /** A request came. */
  | { readonly kind: "came" }
  /** A waiting request left; `oldestMs` is when the first of the others came. */
  | { readonly kind: "left"; readonly oldestMs: number }
  /** A batch of that many has started; `oldestMs` as above. */
  | { readonly kind: "taken"; readonly size: number; readonly oldestMs: number }
  /** A batch has ended. */
  | { readonly kind: "ended" }
  /** The turn after a batch's end is over. */
  | { readonly kind: "passed" };

export type WindowDecision =
  /** A batch of that many leaves at the end of this turn of the event loop, with what else comes until then. */
  | { readonly kind: "flush"; readonly size: number }
  /** Until that time, or, where it is null, until something happens. */
  | { readonly kind: "wait"; readonly untilMs: number | null };

const WAIT: WindowDecision = { kind: "wait", untilMs: null };

/** The rate remembers about this many times batchWaitTimeoutMs, and at least MEMORY_MIN_MS. */
const MEMORY = 5;
const MEMORY_MIN_MS = 25;
const PATIENCE = 5;
/** Less than this is no wait that a timer could keep. */
const SHORTEST_WAIT_MS = 0.5;

/** A method of which nothing is known yet. */
export function freshWindow(limits: WindowLimits, nowMs: number): BatchWindow {
  return {
    waiting: 0,
    oldestMs: 0,
    latestMs: nowMs,
    running: 0,
    behind: false,
    arrivals: 1,
    exposureMs: limits.batchWaitTimeoutMs / 2,
    seenMs: nowMs,
  };
}

/** The window after an event. */
export function step(window: BatchWindow, event: WindowEvent, limits: WindowLimits, nowMs: number): BatchWindow {
  switch (event.kind) {
    case "came": {
      const { arrivals, exposureMs } = rateAt(window, limits, nowMs);
      const others = window.waiting + window.running > 0;
      return {
        waiting: window.waiting + 1,
        oldestMs: window.waiting === 0 ? nowMs : window.oldestMs,
        latestMs: nowMs,
        running: window.running,
        behind: window.behind || window.running >= limits.maxConcurrentBatches,
        arrivals: others ? arrivals + 1 : arrivals,
        exposureMs,
        seenMs: nowMs,
      };
    }
    case "left":
      return {
        ...window,
        ...rateAt(window, limits, nowMs),
        waiting: window.waiting - 1,
        oldestMs: event.oldestMs,
      };
    case "taken": {
      const waiting = window.waiting - event.size;
      const running = window.running + 1;
      return {
        ...window,
        ...rateAt(window, limits, nowMs),
        waiting,
        oldestMs: event.oldestMs,
        running,
        behind: waiting > 0 && running >= limits.maxConcurrentBatches,
      };
    }
    case "ended":
      return { ...window, ...rateAt(window, limits, nowMs), running: window.running - 1, behind: true };
    case "passed":
      return window.waiting === 0 ? { ...window, behind: false } : window;
    default:
      return event satisfies never;
  }
}

/** What is to be done now. `room`: how many further requests can come at all. */
export function decide(window: BatchWindow, limits: WindowLimits, room: number, nowMs: number): WindowDecision {
  if (window.waiting === 0 || window.running >= limits.maxConcurrentBatches) return WAIT;
  const size = Math.min(window.waiting, limits.maxBatchSize);
  if (size === limits.maxBatchSize || room <= 0 || window.behind) return { kind: "flush", size };
  const leftMs = window.oldestMs + limits.batchWaitTimeoutMs - nowMs;
  const { arrivals, exposureMs } = rateAt(window, limits, nowMs);
  // What usually lies between two requests.
  const gapMs = arrivals === 0 ? Number.POSITIVE_INFINITY : exposureMs / arrivals;
  const waitMs = Math.min(leftMs - gapMs, window.latestMs + PATIENCE * gapMs - nowMs);
  return waitMs < SHORTEST_WAIT_MS ? { kind: "flush", size } : { kind: "wait", untilMs: nowMs + waitMs };
}

/** The parts of the rate at a later time. */
function rateAt(
  window: BatchWindow,
  limits: WindowLimits,
  nowMs: number,
): { readonly arrivals: number; readonly exposureMs: number; readonly seenMs: number } {
  const { arrivals, exposureMs, seenMs } = window;
  const passedMs = nowMs - seenMs;
  if (passedMs <= 0 || window.waiting + window.running === 0) return { arrivals, exposureMs, seenMs: Math.max(nowMs, seenMs) };
  const memoryMs = Math.max(MEMORY_MIN_MS, limits.batchWaitTimeoutMs * MEMORY);
  const kept = Math.exp(-passedMs / memoryMs);
  return { arrivals: arrivals * kept, exposureMs: exposureMs * kept + (1 - kept) * memoryMs, seenMs: nowMs };
}

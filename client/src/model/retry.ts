// Whether a failed request may be sent once more, elsewhere. Pure.
// Only failures of the connection count, before any byte of the answer, once, and within a budget, so that a failing
// backend is not hit by twice its load (the budget is that of Finagle's RetryBudget: a share of recent requests).

/** What happened to an attempt. */
export interface FailedAttempt {
  /** HTTP method. */
  readonly method: string;
  /** Whether any frame of the request may have reached the replica. */
  readonly sent: boolean;
  /** Whether the whole request is still at hand. */
  readonly replayable: boolean;
  /** Whether any part of the answer has gone to the caller. */
  readonly answered: boolean;
  /** How often it was tried before, 0 at first. */
  readonly retries: number;
}

/** Methods whose repetition has the same effect (RFC 9110, section 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);

/** Whether a request that lost its replica may be tried once more. */
export function mayRetry(attempt: FailedAttempt): boolean {
  if (attempt.answered || !attempt.replayable || attempt.retries > 0) return false;
  return !attempt.sent || IDEMPOTENT.has(attempt.method);
}

/** A budget of retries: each request adds `percent`/100, each retry takes 1, up to `most` saved. Immutable. */
export interface RetryBudget {
  readonly saved: number;
}

/** Retries that may be saved up, and those there are at the start. */
const MOST_SAVED = 100;

export const FULL_BUDGET: RetryBudget = { saved: MOST_SAVED };

/** What is left after `requests` more requests came in, at `percent` of them. */
export function deposit(budget: RetryBudget, requests: number, percent: number): RetryBudget {
  return { saved: Math.min(MOST_SAVED, budget.saved + (requests * percent) / 100) };
}

/** What is left after one retry; null: not allowed. */
export function withdraw(budget: RetryBudget): RetryBudget | null {
  return budget.saved >= 1 ? { saved: budget.saved - 1 } : null;
}

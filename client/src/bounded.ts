// A wait within a request's deadline and the signals that end it.

import { HeadgateError, fault } from "@headgate/core";
import { abortFailure } from "./outgoing-call.ts";

/** A timer takes at most 2^31 - 1 milliseconds. */
const MOST_MS = 0x7fff_ffff;

/** Why a request is over before it began; null: it is not. `dueMs` is on performance.now()'s scale. */
export function overAlready(dueMs: number, signals: readonly AbortSignal[]): HeadgateError | null {
  const aborted = signals.find((signal) => signal.aborted);
  if (aborted !== undefined) return abortFailure(aborted, "");
  if (dueMs > performance.now()) return null;
  return new HeadgateError(
    fault("deadline_exceeded", "the request's deadline has passed before it was sent", { limit: "requestTimeoutMs" }),
  );
}

/** What a promise gives. Rejects with deadline_exceeded or the signals' reason where that comes first. */
export async function bounded<T>(promise: Promise<T> | T, dueMs: number, signals: readonly AbortSignal[]): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  // Nobody may be waiting for it.
  ended.catch(() => undefined);
  const look = (): void => {
    const problem = overAlready(dueMs, signals);
    if (problem !== null) reject(problem);
  };
  look();
  for (const signal of signals) signal.addEventListener("abort", look, { once: true });
  // A little late, so that the deadline has passed by the clock too.
  const timer = setTimeout(look, Math.min(Math.max(0, dueMs - performance.now()) + 1, MOST_MS));
  try {
    return await Promise.race([promise, ended]);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener("abort", look);
  }
}

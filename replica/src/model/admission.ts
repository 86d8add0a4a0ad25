// How many requests a replica runs at the same time: strictly at most its limit, whatever the number of bridges. Pure.
// There is no queue here: a bridge that is refused goes elsewhere or queues the request itself.

/** The replica's count of running requests. */
export interface Admission {
  readonly inFlight: number;
  readonly completed: number;
  readonly draining: boolean;
}

export const IDLE: Admission = { inFlight: 0, completed: 0, draining: false };

/** Why a request is not admitted. */
export type NotAdmitted = "replica_busy" | "draining";

/** Whether one more may run. */
export function refusal(state: Admission, limit: number): NotAdmitted | null {
  if (state.draining) return "draining";
  return state.inFlight >= limit ? "replica_busy" : null;
}

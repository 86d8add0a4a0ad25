// How many requests a replica runs at the same time: strictly at most its limit, whatever the number of bridges. Pure.
// There is no queue here: a bridge that is refused goes elsewhere or queues the request itself.

/** Why a request is not admitted. */
export type NotAdmitted = "replica_busy" | "draining";

/** Whether one more may run beside those in flight; null: yes. */
export function refusal(inFlight: number, draining: boolean, limit: number): NotAdmitted | null {
  if (draining) return "draining";
  return inFlight >= limit ? "replica_busy" : null;
}

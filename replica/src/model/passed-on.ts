// The fault of a call that a handler made and did not catch, as the fault of the handler's own request. Pure.
// What says that the call was wrong is the handler's mistake, and no business of its caller's.

import { type Fault, PASSED_ON, fault } from "@headgate/core";

/** What a request's caller is told of a call's fault; null: that the handler failed, and no more. */
export function passedOn({ code, message, details, retryAfterMs }: Fault): Fault | null {
  // Of the replica itself these two would say that it has not taken the request; they are of another.
  const as = code === "replica_busy" || code === "draining" ? "no_replica" : code;
  if (!PASSED_ON.has(as)) return null;
  const { requestId: _own, ...facts } = details;
  // The handler has run, whether the call did or not.
  return fault(as, message, { ...facts, mayHaveRun: "true" }, retryAfterMs);
}

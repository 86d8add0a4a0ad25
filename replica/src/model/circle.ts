// Calls in a circle: how deep a request lies in one, so that no batch has to wait for itself. Pure.
// Requests of one depth share the batches of their depth, and those of another depth have batches beside them. Where some backend stands
// twice on a request's way, its depth is the length of that way. Whatever is called for it lies deeper still, so that a batch of a
// circle waits for deeper batches alone, and the deepest, which callDepth bounds, for none. All other requests are of depth 0 and
// share their batches, however many handlers they came by: calls without a circle need no batches of their own.

import { LIMITS } from "@headgate/core";

/** How deep a request to `backend` lies in a circle of calls; 0: in none. `via`: the backends whose handlers it was made by. */
export function circleDepth(via: readonly string[], backend: string): number {
  const { length } = via;
  if (length === 0) return 0;
  const circle = via.includes(backend) || new Set(via).size < length;
  // Nobody makes a call beyond callDepth; a sender that says so gets no batches without number for it.
  return circle ? Math.min(length, LIMITS.callDepth) : 0;
}

// Which errors are those of calls: a replica hands the fault of a call on that its handler does not catch, and of no other error.
// A mark beside the error, so that none can be made by hand.

import type { HeadgateError } from "@headgate/core";

const failures = new WeakSet<HeadgateError>();

/** Marks an error as a call's. */
export function callFailure(error: HeadgateError): HeadgateError {
  failures.add(error);
  return error;
}

/** Whether an error came of a call. */
export function isCallFailure(error: HeadgateError): boolean {
  return failures.has(error);
}

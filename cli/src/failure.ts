// What a command that failed says on standard error: one clear line, and a hint where there is one.
// No stack trace: what the user's own code threw has its file and line in the message.

import { HeadgateError } from "@headgate/core";

const HINTS: Partial<Record<string, string>> = {
  state_dir_in_use: "see it with: headgate status · end it with: headgate stop · start another with: --state-dir DIR",
  port_taken: "choose others with --http-port, --control-port and --admin-port; 0 takes any free one",
  backend_in_use: "delete those endpoints first, or point their traffic elsewhere with: headgate traffic set",
  backend_not_found: "see those there are with: headgate backend list",
  endpoint_not_found: "see those there are with: headgate endpoint list",
  constructor_failed: "see what it wrote with: headgate logs",
  replica_exited: "see what it wrote with: headgate logs",
};

/** Lines for standard error. */
export function failureLines(error: unknown): readonly string[] {
  // Several replicas or backends often fail for one and the same reason.
  if (error instanceof AggregateError) return [...new Set(error.errors.flatMap(failureLines))];
  const message = error instanceof Error ? error.message : String(error);
  const first = `headgate: ${message.trim()}`;
  const hint = error instanceof HeadgateError ? HINTS[error.code] : undefined;
  return hint === undefined ? [first] : [first, `  hint: ${hint}`];
}

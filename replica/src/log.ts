// The replica's log: one JSON object a line on standard output, whatever the input. What the user's own code prints goes
// beside it as it is.

import { describeException } from "./exception.ts";

/** Where a replica says what happens to it. */
export interface Log {
  info(msg: string, facts?: Readonly<Record<string, unknown>>): void;
  error(msg: string, facts?: Readonly<Record<string, unknown>>): void;
  /** An error of the user's code. */
  exception(msg: string, requestId: string, error: unknown): void;
}

/** A log on standard output. `root` makes file names relative to it. */
export function createLog(replica: string, root: string): Log {
  const write = (level: string, msg: string, facts: Readonly<Record<string, unknown>>): void => {
    process.stdout.write(`${JSON.stringify({ level, time: Date.now(), replica, msg, ...facts })}\n`);
  };
  return {
    info: (msg, facts = {}) => write("info", msg, facts),
    error: (msg, facts = {}) => write("error", msg, facts),
    exception: (msg, requestId, error) => {
      const { name, message, file, line, stack } = describeException(error, root);
      write("error", msg, { requestId, exception: { name, message, file, line, stack } });
    },
  };
}

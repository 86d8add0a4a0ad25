// What a caller is told of a replica, and what of a replica's own words: one of somebody's own program may say anything.
// What breaks the contract becomes replica_protocol (502). How frames are read and counted is session.ts's matter.

import { type Fault, type FaultCode, LIMITS, PASSED_ON, fault, isFaultCode } from "@headgate/core";
import type * as pb from "@headgate/proto/fault";

/** Faults that a replica can have, beside those of calls that its handler made. Others would speak of what it knows nothing of. */
const A_REPLICAS: ReadonlySet<FaultCode> = new Set<FaultCode>([
  "malformed_request",
  "request_timeout",
  "body_too_large",
  "headers_too_large",
  "upgrade_required",
  "handler_error",
  "handler_result_invalid",
  "batch_length_mismatch",
  "method_not_declared",
  "websocket_unsupported",
  "replica_busy",
  "draining",
  "cancelled",
  ...PASSED_ON,
]);

const MESSAGE_CHARS = 4096;
const DETAILS = 16;
const DETAIL_CHARS = 1024;

/** The fault for a replica that broke the contract after it had the request. */
export function brokenContract(what: string, limit: string | null = null): Fault {
  return fault("replica_protocol", `the replica ${what}`, { mayHaveRun: "true", ...(limit === null ? {} : { limit }) });
}

/** The fault for a request that was lost with its replica. `sent`: whether it may have run; `broken`: because of a broken contract. */
export function lostWithReplica(backend: string, sent: boolean, broken: boolean): Fault {
  const ran = sent ? "may have run" : "was not sent";
  const why = broken ? "broke the contract, so that its connection was closed" : "was lost before it had answered";
  return fault(broken ? "replica_protocol" : "replica_lost", `the replica ${why}; the request ${ran}`, {
    backend,
    mayHaveRun: String(sent),
  });
}

/** The fault for a request whose deadline passed. `running`: a replica had it; `sent`: whether it may have run. */
export function expired(backend: string, running: boolean, sent: boolean): Fault {
  const where = running ? "before the handler answered" : "while it waited for a replica";
  const details = { backend, limit: "requestTimeoutMs", mayHaveRun: String(sent) };
  return fault("deadline_exceeded", `the request's deadline passed ${where}`, details);
}

/** A replica's fault, cut to what the contract allows. */
export function faultOfReplica(said: pb.Fault): Fault {
  const { code, message } = said;
  if (!isFaultCode(code) || !A_REPLICAS.has(code)) return brokenContract("failed with a code that is none of a replica's");
  const details = Object.entries(said.details);
  const kept = details.length <= DETAILS && details.every(([name, text]) => name.length + text.length <= DETAIL_CHARS);
  return fault(
    code,
    message.slice(0, MESSAGE_CHARS).toWellFormed(),
    kept ? said.details : {},
    Math.min(said.retryAfterMs, LIMITS.retryAfterMs),
  );
}

/** What is wrong with header fields or trailers; null: nothing that is known here. Whether they can be sent is known where they are. */
export function fieldsProblem(fields: readonly string[]): Fault | null {
  const count = fields.length / 2;
  if (count > LIMITS.headerFields) return brokenContract(`answered with ${count} header fields`, "headerFields");
  let bytes = 0;
  for (const text of fields) bytes += text.length;
  return bytes > LIMITS.headerBytes ? brokenContract(`answered with ${bytes} bytes of header fields`, "headerBytes") : null;
}

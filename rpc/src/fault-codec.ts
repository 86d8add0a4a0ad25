// A fault to its message and back. Apart from faults.ts so that who speaks no nice-grpc need not load it.

import { FAULTS, type Fault, fault, isFaultCode } from "@headgate/core";
import type * as pb from "@headgate/proto/fault";

/** A fault as its message. */
export function faultToProto(source: Fault): pb.Fault {
  return {
    code: source.code,
    message: source.message.slice(0, 4096),
    retryable: FAULTS[source.code].retryable,
    details: { ...source.details },
    retryAfterMs: source.retryAfterMs,
  };
}

/** A fault out of its message; a code of a newer version becomes "internal" and keeps its message. */
export function faultFromProto(message: pb.Fault): Fault {
  return fault(isFaultCode(message.code) ? message.code : "internal", message.message, message.details, message.retryAfterMs);
}

// Faults over gRPC: a HeadgateError becomes a status with a typed detail in the trailing metadata, and back.
// An error that is not a HeadgateError never leaks: the caller reads "internal error", the log gets the rest.

import { FAULTS, GrpcStatus, HeadgateError, fault } from "@headgate/core";
import * as pb from "@headgate/proto/fault";
import { ClientError, Metadata, ServerError, Status } from "nice-grpc-common";
import { faultFromProto, faultToProto } from "./fault-codec.ts";
import type { CallContext, CallOptions, ClientMiddlewareCall, ServerMiddlewareCall } from "nice-grpc-common";

/** Trailing metadata key of the encoded headgate.v1.Fault. */
export const FAULT_KEY = "headgate-fault-bin";

/** Server middleware: every error that leaves carries a fault; foreign errors are told to `onUnexpected` and hidden. */
export function faultsServerMiddleware(onUnexpected: (error: unknown, path: string) => void) {
  return async function* faults<Request, Response>(
    call: ServerMiddlewareCall<Request, Response>,
    context: CallContext,
  ): AsyncGenerator<Response, Response | void, undefined> {
    try {
      return yield* call.next(call.request, context);
    } catch (error) {
      if (error instanceof ServerError) throw error;
      // A call that its client has left ends with the AbortError of its signal: nothing to tell anyone.
      if (error instanceof Error && error.name === "AbortError") throw error;
      if (!(error instanceof HeadgateError)) onUnexpected(error, call.method.path);
      const source = error instanceof HeadgateError ? error : fault("internal", "internal error; the controller's log says more");
      context.trailer.set(FAULT_KEY, pb.Fault.encode(faultToProto(source)).finish());
      throw new ServerError(GrpcStatus[FAULTS[source.code].grpc], source.message);
    }
  };
}

/** Client middleware: errors of the other side come back as HeadgateErrors. */
export async function* faultsClientMiddleware<Request, Response>(
  call: ClientMiddlewareCall<Request, Response>,
  options: CallOptions,
): AsyncGenerator<Response, Response | void, undefined> {
  let trailer = Metadata();
  try {
    return yield* call.next(call.request, {
      ...options,
      onTrailer: (received) => {
        trailer = received;
        options.onTrailer?.(received);
      },
    });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const encoded = trailer.get(FAULT_KEY);
    if (encoded !== undefined) throw new HeadgateError(faultFromProto(pb.Fault.decode(encoded)), { cause: error });
    throw new HeadgateError(fault(codeOfStatus(error.code), messageOfStatus(error)), { cause: error });
  }
}

function codeOfStatus(
  status: Status,
): "controller_unavailable" | "deadline_exceeded" | "cancelled" | "unauthenticated" | "invalid_argument" | "internal" {
  switch (status) {
    case Status.UNAVAILABLE:
      return "controller_unavailable";
    case Status.DEADLINE_EXCEEDED:
      return "deadline_exceeded";
    case Status.CANCELLED:
      return "cancelled";
    case Status.UNAUTHENTICATED:
      return "unauthenticated";
    case Status.INVALID_ARGUMENT:
    case Status.RESOURCE_EXHAUSTED:
      return "invalid_argument";
    default:
      return "internal";
  }
}

function messageOfStatus(error: ClientError): string {
  if (error.code === Status.UNAVAILABLE) return `the controller cannot be reached (${error.details}); is the instance running?`;
  return error.details || error.message;
}

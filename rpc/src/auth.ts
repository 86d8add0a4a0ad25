// Who calls: a bearer token in the metadata, compared in constant time, becomes a principal, and a principal may call or not.
// Which tokens there are is the caller's matter. No token is ever logged or told back.

import { createHash, timingSafeEqual } from "node:crypto";
import { HeadgateError, fault } from "@headgate/core";
import type { CallContext, ServerMiddlewareCall } from "nice-grpc-common";

/** Hash of a token: what is kept and compared, so that neither length nor content shows in the time it takes. */
export function tokenHash(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}

/** Whether a token has this hash. Constant time. */
export function tokenMatches(token: string, hash: Buffer): boolean {
  return timingSafeEqual(tokenHash(token), hash);
}

/** The token of an "authorization" value; null: there is none. */
export function bearerOf(value: string | undefined): string | null {
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/i.exec(value ?? "");
  return match?.[1] ?? null;
}

/** Who may call what. */
export interface Guard<Principal> {
  /** Who a token belongs to; null: nobody. */
  identify(token: string): Principal | null;
  /** Whether it may call the RPC at this path, such as "/headgate.v1.RoutingService/WatchRouting". */
  allows(principal: Principal, path: string): boolean;
}

/** What calls behind the guard find in their context. */
export interface Authenticated<Principal> {
  readonly principal: Principal;
}

/** Server middleware: refuses whoever the guard does not know or allow. */
export function authServerMiddleware<Principal>(guard: Guard<Principal>) {
  return async function* auth<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, Authenticated<Principal>>,
    context: CallContext,
  ): AsyncGenerator<Response, Response | void, undefined> {
    const token = bearerOf(context.metadata.get("authorization"));
    const principal = token === null ? null : guard.identify(token);
    if (principal === null) {
      const why = token === null ? 'the metadata "authorization: Bearer TOKEN" is missing' : "the token is not this instance's";
      throw new HeadgateError(fault("unauthenticated", `${why}; the control token is in the file "token" of the state directory`));
    }
    if (!guard.allows(principal, call.method.path)) {
      throw new HeadgateError(fault("permission_denied", `this token may not call ${call.method.path}`));
    }
    return yield* call.next(call.request, { ...context, principal });
  };
}

// A router that is fed by a running instance: what a program uses for handles.

import { HeadgateError, fault } from "@headgate/core";
import { type Handle, type HandleOptions, makeHandle } from "./handle.ts";
import { Router } from "./router.ts";
import { RoutingFeed } from "./routing-feed.ts";

/** Handles over a routing table that is kept up to date. */
export interface FedRouter extends AsyncDisposable {
  /** A handle of an endpoint. */
  handle(endpoint: string, options?: HandleOptions): Handle;
  /** Resolves when the table in force is of this revision of the desired state or a later one. */
  atRevision(revision: bigint, signal?: AbortSignal): Promise<void>;
}

/** Resolves when the first table is in force. Rejects with controller_unavailable or unauthenticated. */
export async function createRouter(options: {
  /** "HOST:PORT" or "unix:PATH". */
  readonly controlAddress: string;
  readonly token: string;
  readonly signal?: AbortSignal;
}): Promise<FedRouter> {
  const router = new Router();
  const waiting = new Set<() => void>();
  let failure: Error | null = null;
  const wake = (): void => {
    for (const look of waiting) look();
  };
  const feed = new RoutingFeed(
    options.controlAddress,
    options.token,
    { bridgeId: "", httpPort: 0, h2cPort: 0, httpsPort: 0 },
    {
      table: async (table) => {
        const taken = router.apply(table);
        wake();
        return taken;
      },
      drain: () => undefined,
      load: () => null,
      broken: (reason) => {
        failure = reason;
        wake();
      },
    },
  );
  const until = (reached: () => boolean, failing: boolean, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        waiting.delete(look);
        signal?.removeEventListener("abort", aborted);
        settle();
      };
      const aborted = (): void => done(() => reject(new HeadgateError(fault("cancelled", "the wait was aborted"))));
      const look = (): void => {
        if (reached()) done(resolve);
        else if (failing && failure !== null) done(() => reject(unavailable(failure)));
      };
      waiting.add(look);
      signal?.addEventListener("abort", aborted, { once: true });
      if (signal?.aborted) aborted();
      else look();
    });
  const close = (): void => {
    feed.close();
    router.close();
  };
  try {
    await until(() => router.table !== null, true, options.signal);
  } catch (error) {
    close();
    throw error;
  }
  return {
    handle: (endpoint, handleOptions) => makeHandle(router, endpoint, handleOptions),
    atRevision: (revision, signal) => until(() => (router.table?.revision ?? 0n) >= revision, false, signal),
    [Symbol.asyncDispose]: async () => close(),
  };
}

function unavailable(cause: Error | null): HeadgateError {
  if (cause instanceof HeadgateError && cause.code !== "replica_lost") return cause;
  return new HeadgateError(fault("controller_unavailable", "the controller cannot be reached; is the instance running?"), { cause });
}

// A router that is fed by a running instance: what programs and replicas use for handles. It connects when it is made, and goes on with
// the table that it has while there is no controller.

import { HeadgateError, fault } from "@headgate/core";
import { abortFailure } from "./outgoing-call.ts";
import type { RouterSource } from "./requester.ts";
import { Router } from "./router.ts";
import { RoutingFeed } from "./routing-feed.ts";

/** Where the feed is. */
export interface FeedAddress {
  /** "HOST:PORT" or "unix:PATH". */
  readonly controlAddress: string;
  readonly token: string;
}

interface Waiting {
  look(): void;
  failed(error: HeadgateError): void;
}

/** A router over a table that is kept up to date. */
export class FedRouter implements RouterSource, Disposable {
  readonly #router = new Router({ lazy: true });
  readonly #feed: RoutingFeed;
  readonly #patient: boolean;
  readonly #waiting = new Set<Waiting>();
  /** Whether it has given up: it never had a table, and does not try to get one any more. */
  hopeless = false;

  /** `patient`: it goes on trying where the controller cannot be reached at first; else it gives up, and holds no program. */
  constructor({ controlAddress, token }: FeedAddress, { patient }: { readonly patient: boolean }) {
    this.#patient = patient;
    this.#feed = new RoutingFeed(
      controlAddress,
      token,
      { bridgeId: "", httpPort: 0, h2cPort: 0, httpsPort: 0 },
      {
        table: async (table) => {
          const taken = this.#router.apply(table);
          for (const waiting of this.#waiting) waiting.look();
          return taken;
        },
        drain: () => undefined,
        load: () => null,
        broken: (reason, fatal) => this.#broken(reason, fatal),
      },
    );
  }

  get router(): Router | null {
    return this.#router.table === null ? null : this.#router;
  }

  when(reached: (router: Router) => boolean, withinMs: number, signal: AbortSignal): Promise<Router | null> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        signal.removeEventListener("abort", aborted);
        settle();
      };
      const aborted = (): void => done(() => reject(abortFailure(signal, "")));
      const waiting: Waiting = {
        look: () => {
          const { router } = this;
          if (router !== null && reached(router)) done(() => resolve(router));
        },
        failed: (error) => done(() => reject(error)),
      };
      const timer = setTimeout(() => done(() => resolve(null)), withinMs);
      this.#waiting.add(waiting);
      signal.addEventListener("abort", aborted, { once: true });
      if (signal.aborted) aborted();
      else waiting.look();
    });
  }

  [Symbol.dispose](): void {
    this.#feed.close();
    this.#router.close();
  }

  #broken(reason: Error, fatal: boolean): void {
    // With a table there is something to go on with.
    if (this.router !== null || (this.#patient && !fatal)) return;
    this.hopeless = true;
    this.#feed.close();
    const error = unavailable(reason);
    for (const waiting of this.#waiting) waiting.failed(error);
  }
}

function unavailable(cause: Error): HeadgateError {
  if (cause instanceof HeadgateError && cause.code !== "replica_lost") return cause;
  return new HeadgateError(fault("controller_unavailable", "the controller cannot be reached; is the instance running?"), { cause });
}

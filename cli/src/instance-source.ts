// The routing table of a program's handles: watched from the first request on, until the instance is let go of.

import { type FeedAddress, FedRouter, type Router, type RouterSource } from "@headgate/client";
import { HeadgateError, fault } from "@headgate/core";

/** A router that connects when it is first needed, and anew where it could not. */
export class InstanceSource implements RouterSource {
  readonly #address: FeedAddress;
  #fed: FedRouter | null = null;
  #closed = false;

  constructor(address: FeedAddress) {
    this.#address = address;
  }

  get router(): Router | null {
    return this.#fed?.router ?? null;
  }

  async when(reached: (router: Router) => boolean, withinMs: number, signal: AbortSignal): Promise<Router | null> {
    if (this.#closed) throw new HeadgateError(fault("controller_unavailable", "this instance is closed"));
    if (this.#fed === null || this.#fed.hopeless) this.#fed = new FedRouter(this.#address, { patient: false });
    return this.#fed.when(reached, withinMs, signal);
  }

  close(): void {
    this.#closed = true;
    this.#fed?.[Symbol.dispose]();
    this.#fed = null;
  }
}

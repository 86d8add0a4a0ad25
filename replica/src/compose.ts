// Handles inside of handlers. What sends their requests is loaded, and connects, with the first request that is sent in a process; until
// then there are names alone. What the request in hand passes on is read off it here; how a request goes its way stands in client/.

import type { CallContext, FedRouter, Requester } from "@headgate/client/data-plane";
import { type CallTarget, type CallWay, handlesOf } from "@headgate/client/handle";
import type { Handles, SendOptions } from "@headgate/core";
import type { RequestSource } from "./request.ts";

/** Who a replica is to the endpoints that its handler calls. */
export interface ComposingReplica {
  /** Where the routing feed is. */
  readonly controlAddress: string;
  /** The replica's token for it. */
  readonly routingToken: string;
  readonly backend: string;
}

/** What is loaded with the first request. */
interface DataPlane {
  readonly router: FedRouter;
  readonly Requester: typeof Requester;
}

/** The handles of a replica. */
export class Composition {
  readonly #replica: ComposingReplica;
  #plane: DataPlane | null = null;
  #loading: Promise<DataPlane> | null = null;

  constructor(replica: ComposingReplica) {
    this.#replica = replica;
  }

  /** The backend that the handler belongs to. */
  get backend(): string {
    return this.#replica.backend;
  }

  /** Hands out the handles of a request. */
  handlesOf(source: RequestSource): Handles["handle"] {
    return handlesOf(new RequestWay(this, source));
  }

  /** What sends the requests that are made for another. */
  async requesterFor(source: RequestSource): Promise<Requester> {
    const { router, Requester } = this.#plane ?? (await this.#load());
    return new Requester(router, contextOf(source, this.#replica.backend));
  }

  #load(): Promise<DataPlane> {
    this.#loading ??= import("@headgate/client/data-plane").then(({ FedRouter, Requester }) => {
      const { controlAddress, routingToken } = this.#replica;
      // Patient: a handler's request has a deadline, and the controller may be on its way back.
      this.#plane = { router: new FedRouter({ controlAddress, token: routingToken }, { patient: true }), Requester };
      return this.#plane;
    });
    return this.#loading;
  }
}

/** Sends requests for a request. */
class RequestWay implements CallWay {
  readonly #composition: Composition;
  readonly #source: RequestSource;

  constructor(composition: Composition, source: RequestSource) {
    this.#composition = composition;
    this.#source = source;
  }

  async call(target: CallTarget, body: unknown, options: SendOptions): Promise<unknown> {
    return (await this.#composition.requesterFor(this.#source)).call(target, body, options);
  }

  async send(target: CallTarget, body: unknown, options: SendOptions): Promise<Response> {
    return (await this.#composition.requesterFor(this.#source)).send(target, body, options);
  }
}

const TRACE = new Set(["traceparent", "tracestate"]);

/** What a request passes on to the calls that are made for it. */
function contextOf({ head, cancellation, deadlineMs }: RequestSource, backend: string): CallContext {
  const { headers, requestId, shadow, secure } = head;
  const trace: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    if (TRACE.has(name)) trace.push(name, headers[i + 1] ?? "");
  }
  return { requestId, deadlineMs, signal: cancellation.signal(), shadow, secure, via: [...head.via, backend], trace };
}

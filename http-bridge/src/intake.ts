// What happens to a request on its way in, in the order of its protections, up to the endpoint that is to have it. The same
// for every protocol and for upgrades; how an answer is sent and what becomes of the call is the business of whoever asks.

import { randomBytes } from "node:crypto";
import { Call, type CallSink, type LiveEndpoint, type Router } from "@headgate/client/data-plane";
import { type CorsPolicy, type Fault, fault } from "@headgate/core";
import { isPreflight } from "./extras.ts";
import { RequestFields } from "./model/fields.ts";
import {
  type MeasuredHead,
  bodyTooLarge,
  fieldsProblem,
  headProblem,
  originForm,
  pathLength,
  requestIdOf,
  targetProblem,
} from "./model/request.ts";

/**
 * What is to be done with a request. "call": it goes to `endpoint`. "own": it asks for one of Headgate's own paths, `path`.
 * "allow": it is an OPTIONS request that is answered with `allow`. "preflight": it is one that a browser sends before another.
 * "refuse": it goes no further, because of `refusal`.
 */
export type Verdict = "call" | "own" | "allow" | "preflight" | "refuse";

/** Looks at requests. What it found of the last one stands in its properties until the next. */
export class Intake {
  readonly fields = new RequestFields();
  /** The caller's id of the request, or a fresh one. */
  requestId = "";
  /** Path and query. */
  target = "";
  /** The path alone. */
  path = "";
  /** The endpoint of a "call". */
  endpoint: LiveEndpoint | null = null;
  /** CORS of the endpoint that the path leads to, whatever becomes of the request; null: it has none. */
  cors: CorsPolicy | null = null;
  /** What the route's parameters matched: names and values in turn. */
  params: readonly string[] = [];
  /** Why a request is refused. */
  refusal: Fault = NOT_READY;
  /** Value of Allow for the answer; empty: the field is not sent. */
  allow = "";
  readonly #router: Router;
  readonly #idPrefix = randomBytes(6).toString("base64url");
  #idCount = 0;

  constructor(router: Router) {
    this.#router = router;
  }

  /**
   * Looks at a request. `rawHeaders` are names and values in turn; `hostNeeded`: the protocol's version asks for a Host;
   * `measured`: what is known of the head where no parser has held it to the limits, else null.
   */
  look(method: string, asked: string, rawHeaders: readonly string[], hostNeeded: boolean, measured: MeasuredHead | null): Verdict {
    const { fields } = this;
    fields.read(rawHeaders);
    const target = asked.startsWith("/") ? asked : originForm(asked, fields.host);
    this.target = target;
    this.requestId = requestIdOf(fields.requestId, `${this.#idPrefix}-${(this.#idCount++).toString(36)}`);
    this.allow = "";
    this.cors = null;

    // A request that could be read in two ways, or is over a limit, goes no further.
    const end = pathLength(target);
    const path = end === target.length ? target : target.slice(0, end);
    this.path = path;
    const problem = (measured === null ? null : headProblem(measured)) ?? fieldsProblem(fields, rawHeaders.length / 2, hostNeeded);
    if (problem !== null) return this.#refused(problem);
    if (target === "*" && method === "OPTIONS") return this.#allowed("OPTIONS");
    const wrong = targetProblem(target, path);
    if (wrong !== null) return this.#refused(method === "CONNECT" ? NO_PROXY : wrong);

    // Headgate's own paths come before any endpoint's.
    if (path.startsWith("/-/")) return "own";

    const { table } = this.#router;
    if (table === null) return this.#refused(NOT_READY);
    const match = table.match(path);
    if (match === null) return this.#refused(fault("route_not_found", `no endpoint has a route for ${path.slice(0, 200)}`));
    const endpoint = match.value;
    this.cors = endpoint.cors;
    if (endpoint.cors !== null && method === "OPTIONS" && isPreflight(fields.forward)) {
      this.allow = endpoint.allow;
      return "preflight";
    }
    if (!endpoint.methods.has(method)) {
      if (method === "OPTIONS") return this.#allowed(endpoint.allow);
      this.allow = endpoint.allow;
      return this.#refused(
        fault("method_not_allowed", `${method} is not a method of endpoint "${endpoint.name}"`, { endpoint: endpoint.name }),
      );
    }
    if (fields.contentLength > endpoint.maxBodyBytes) return this.#refused(bodyTooLarge(endpoint.maxBodyBytes));
    this.endpoint = endpoint;
    this.params = match.params;
    return "call";
  }

  /** Whether the request that was looked at last has less time by its caller's word than by its endpoint's. */
  lowersDeadline({ requestTimeoutMs }: LiveEndpoint): boolean {
    const { timeoutMs } = this.fields;
    return timeoutMs > 0 && timeoutMs < requestTimeoutMs;
  }

  /** The call of the request that was looked at last, for its endpoint. `secure`: it came over TLS. */
  call(endpoint: LiveEndpoint, method: string, target: string, secure: boolean, sink: CallSink): Call {
    const deadline = performance.now() + (this.lowersDeadline(endpoint) ? this.fields.timeoutMs : endpoint.requestTimeoutMs);
    const call = new Call(endpoint.name, method, target, this.fields.forward, this.requestId, deadline, sink);
    call.params = this.params;
    call.secure = secure;
    return call;
  }

  #allowed(allow: string): Verdict {
    this.allow = allow;
    return "allow";
  }

  #refused(refusal: Fault): Verdict {
    this.refusal = refusal;
    return "refuse";
  }
}

const NO_PROXY = fault("method_not_allowed", "this is no proxy: CONNECT is not answered here");
const NOT_READY = fault("not_ready", "this bridge has no routing table yet", {}, 1000);

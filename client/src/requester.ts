// How a program's request goes its way: checked, its endpoint found, sent with all that the request in hand passes on (deadline,
// cancellation, id, trace, shadow, the backends on its way), and its answer made into what was asked for.

import { HOP_BY_HOP, HeadgateError, LIMITS, METHOD_NAME, type SendOptions, fault, headersOf } from "@headgate/core";
import { ResultForm } from "@headgate/proto/replica";
import { Call } from "./call.ts";
import type { CallTarget, CallWay } from "./handle.ts";
import { itemsOf } from "./items.ts";
import { faultOfAnswer, fieldOf, resultOf } from "./model/result-value.ts";
import { type StreamedBody, type WholeBody, bodyOf, bodyTooLarge, chunksOf, giveUp, typeOfPiece } from "./outgoing-body.ts";
import { bounded, overAlready } from "./bounded.ts";
import { type Answer, OutgoingCall, failureOf } from "./outgoing-call.ts";
import { brokenContract } from "./replica-words.ts";
import type { LiveEndpoint, Router } from "./router.ts";

/** A router that is fed with tables. */
export interface RouterSource {
  /** The router, where a table is in force; null: there is none yet. */
  readonly router: Router | null;
  /**
   * Resolves with the router when its table is as asked for, with null where it was not within that time. Rejects where it will not be,
   * and when the signal aborts.
   */
  when(reached: (router: Router) => boolean, withinMs: number, signal: AbortSignal): Promise<Router | null>;
}

/** What the request in hand passes on to the calls that are made for it. */
export interface CallContext {
  readonly requestId: string;
  /** When it must be over, on performance.now()'s scale; Infinity: never. */
  readonly deadlineMs: number;
  /** Aborts when it ends early. */
  readonly signal: AbortSignal;
  readonly shadow: boolean;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** Backends whose handlers wait for the call, outermost first, the one in hand last. */
  readonly via: readonly string[];
  /** Its fields of trace context: names and values in turn. */
  readonly trace: readonly string[];
}

/** Problem bodies and what stands for them are read up to this. */
const MOST_ERROR_BYTES = 64 * 1024;
const NO_FIELDS: readonly string[] = [];
/** Fields of one connection, which a handler that hands on the fields of its own request has among them (RFC 9110, section 7.6.1). */
const NOT_FORWARDED = new Set([...HOP_BY_HOP, "content-length", "expect"]);
const NO_VIA: readonly string[] = [];

let count = 0;

/** Sends requests by a router. */
export class Requester implements CallWay {
  readonly #source: RouterSource;
  readonly #context: CallContext | null;

  /** `context`: null for a program that has no request in hand. */
  constructor(source: RouterSource, context: CallContext | null) {
    this.#source = source;
    this.#context = context;
  }

  async send(target: CallTarget, body: unknown, options: SendOptions): Promise<Response> {
    return responseOf(await this.#request(target, body, options, this.#requestId()));
  }

  async call(target: CallTarget, body: unknown, options: SendOptions): Promise<unknown> {
    const requestId = this.#requestId();
    const answer = await this.#request(target, body, options, requestId);
    const type = fieldOf(answer.headers, "content-type");
    if (answer.status >= 400) {
      throw failureOf(faultOfAnswer(target.endpoint, answer.status, type, await answer.body.all(MOST_ERROR_BYTES)), requestId);
    }
    if (answer.form === ResultForm.RESPONSE) return responseOf(answer);
    if (answer.form === ResultForm.ITEMS) return itemsOf(answer.body, type);
    const bytes = await answer.body.all();
    try {
      return resultOf(type, bytes);
    } catch {
      throw failureOf(fault("replica_protocol", "the answer is no JSON, though it says so", { endpoint: target.endpoint }), requestId);
    }
  }

  #requestId(): string {
    return this.#context?.requestId ?? `h-${process.pid.toString(36)}-${(count++).toString(36)}`;
  }

  async #request(target: CallTarget, body: unknown, options: SendOptions, requestId: string): Promise<Answer> {
    const context = this.#context;
    const signals = signalsOf(context, options);
    let outgoing: WholeBody | StreamedBody | null = null;
    try {
      const fields = fieldsOf(context, options);
      const { timeoutMs = Number.POSITIVE_INFINITY, path = "/" } = options;
      checkOptions(target, timeoutMs, path, context);
      outgoing = bodyOf(body);
      const deadlineMs = Math.min(performance.now() + timeoutMs, context?.deadlineMs ?? Number.POSITIVE_INFINITY);
      const router = this.#source.router ?? (await this.#firstTable(deadlineMs, signals));
      const endpoint = router.table?.endpoint(target.endpoint) ?? (await this.#newEndpoint(target.endpoint, deadlineMs, signals));
      const dueMs = Math.min(deadlineMs, performance.now() + endpoint.requestTimeoutMs);
      const first = outgoing.kind === "stream" ? await bounded(outgoing.pieces.next(), dueMs, signals) : null;
      const problem = overAlready(dueMs, signals);
      if (problem !== null) throw problem;
      const type = outgoing.kind === "whole" ? outgoing.type : first === null || first.done === true ? "" : typeOfPiece(first.value);
      const method = outgoing.kind === "whole" && outgoing.bytes === null ? "GET" : "POST";
      const headers = type === "" || fieldOf(fields, "content-type") !== "" ? fields : ["content-type", type, ...fields];

      if (outgoing.kind === "whole" && outgoing.bytes !== null && outgoing.bytes.length > endpoint.maxBodyBytes) {
        throw bodyTooLarge(endpoint.maxBodyBytes);
      }
      const under = new OutgoingCall(router, signals);
      const call = new Call(endpoint.name, method, path, headers, requestId, dueMs, under);
      call.callMethod = target.method;
      call.shadow = context?.shadow ?? false;
      call.secure = context?.secure ?? false;
      call.via = context?.via ?? NO_VIA;
      if (outgoing.kind === "whole") {
        if (outgoing.bytes !== null) call.pieces = chunksOf(outgoing.bytes);
        under.start(endpoint, call, target.shardKey);
      } else {
        call.bodyEnded = false;
        under.start(endpoint, call, target.shardKey);
        if (first !== null) under.stream(call, outgoing.pieces, first, endpoint.maxBodyBytes);
      }
      return await under.answer;
    } catch (error) {
      if (outgoing?.kind === "stream") giveUp(outgoing.pieces);
      throw error instanceof HeadgateError && error.requestId === "" ? failureOf(error, requestId) : error;
    }
  }

  /** The router with its first table. */
  async #firstTable(deadlineMs: number, signals: readonly AbortSignal[]): Promise<Router> {
    const router = await this.#source.when(() => true, withinMs(LIMITS.tableWaitMs, deadlineMs), AbortSignal.any([...signals]));
    if (router === null) throw new HeadgateError(fault("not_ready", "there is no routing table here yet", { limit: "tableWaitMs" }, 1000));
    return router;
  }

  /** An endpoint that is not in the table: the table with it may be on its way, as for one that has just been made. */
  async #newEndpoint(name: string, deadlineMs: number, signals: readonly AbortSignal[]): Promise<LiveEndpoint> {
    const within = withinMs(LIMITS.endpointWaitMs, deadlineMs);
    const router = await this.#source.when(({ table }) => table?.endpoint(name) !== undefined, within, AbortSignal.any([...signals]));
    const endpoint = router?.table?.endpoint(name);
    if (endpoint === undefined) throw new HeadgateError(fault("endpoint_not_found", `there is no endpoint "${name}"`, { endpoint: name }));
    return endpoint;
  }
}

const withinMs = (most: number, deadlineMs: number): number => Math.max(0, Math.min(most, deadlineMs - performance.now()));

function signalsOf(context: CallContext | null, { signal }: SendOptions): readonly AbortSignal[] {
  const signals = context === null ? [] : [context.signal];
  if (signal !== undefined) signals.push(signal);
  return signals;
}

function checkOptions({ method }: CallTarget, timeoutMs: number, path: string, context: CallContext | null): void {
  if (method !== "" && !METHOD_NAME.test(method)) {
    throw new HeadgateError(fault("method_not_declared", `${JSON.stringify(method.slice(0, 80))} is no name of a method`));
  }
  if (!(timeoutMs > 0)) throw invalid("timeoutMs", `timeoutMs must be a number above 0, not ${String(timeoutMs)}`);
  if (!path.startsWith("/")) throw invalid("path", `path must begin with "/", unlike ${JSON.stringify(path.slice(0, 100))}`);
  if (path.length > LIMITS.urlBytes) throw invalid("path", `path is longer than ${LIMITS.urlBytes} bytes`);
  if (context !== null && context.via.length > LIMITS.callDepth) {
    throw new HeadgateError(
      fault(
        "call_depth_exceeded",
        `${LIMITS.callDepth} handlers called one another, and the last one calls again: ${context.via.slice(-4).join(" → ")} → …`,
        { limit: "callDepth" },
      ),
    );
  }
}

/** The header fields of a request: what the caller gave, and of the trace context what it did not. */
function fieldsOf(context: CallContext | null, { headers }: SendOptions): readonly string[] {
  const trace = context?.trace ?? NO_FIELDS;
  if (headers === undefined) return trace;
  const fields: string[] = [];
  let bytes = 0;
  try {
    for (const [name, value] of new Headers(headers)) {
      if (NOT_FORWARDED.has(name)) continue;
      bytes += name.length + value.length;
      fields.push(name, value);
    }
  } catch (cause) {
    throw invalid("headers", `a header field cannot be sent: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (fields.length > 2 * LIMITS.headerFields) throw tooLarge("headerFields");
  if (bytes > LIMITS.headerBytes) throw tooLarge("headerBytes");
  for (let i = 0; i + 1 < trace.length; i += 2) {
    const name = trace[i] ?? "";
    if (fieldOf(fields, name) === "") fields.push(name, trace[i + 1] ?? "");
  }
  return fields;
}

function tooLarge(limit: "headerFields" | "headerBytes"): HeadgateError {
  return new HeadgateError(fault("headers_too_large", `the header fields are over ${limit}, ${LIMITS[limit]}`, { limit }));
}

function invalid(field: string, message: string): HeadgateError {
  return new HeadgateError(fault("invalid_argument", message, { field }));
}

/** An answer as a web-standard Response. */
function responseOf({ status, headers, body }: Answer): Response {
  let fields: Headers;
  try {
    fields = headersOf(headers);
  } catch (cause) {
    body.cancel();
    throw new HeadgateError(brokenContract("answered with a header field that cannot be read"), { cause });
  }
  const empty = status === 204 || status === 304 || status === 205;
  if (empty) body.cancel();
  return new Response(empty ? null : body.stream(), { status, headers: fields });
}

// What becomes of a request that the intake has looked at: an answer of the bridge's own, a refusal, or a call.
// The same for every protocol; the request's body is read here and not earlier, so that who is refused sends none.

import type { Call, LiveEndpoint, Router } from "@headgate/client/data-plane";
import type { BridgeState } from "./bridge-state.ts";
import type { Exchange } from "./exchange.ts";
import { addCors, preflightAnswer, shardKeyOf } from "./extras.ts";
import type { Intake, Verdict } from "./intake.ts";
import { bodyPlan } from "./model/request.ts";
import { answerOwn } from "./own-routes.ts";
import type { ReadAhead } from "./read-ahead.ts";
import type { WebSockets } from "./websockets.ts";

/** Limits of connections, which tests set lower. */
export type BridgeLimits = Readonly<
  Record<"connections" | "headerTimeoutMs" | "bodyTimeoutMs" | "keepAliveTimeoutMs" | "sendTimeoutMs", number>
>;

/** What every request needs. */
export interface Surroundings {
  readonly limits: BridgeLimits;
  readonly router: Router;
  readonly intake: Intake;
  readonly state: BridgeState;
  readonly sockets: WebSockets;
  readonly ahead: ReadAhead;
}

/** Does what the intake said of the request that it looked at last. */
export function serve(exchange: Exchange, verdict: Verdict, { router, intake, state, ahead }: Surroundings): void {
  const { endpoint, cors } = intake;
  if (cors !== null) addCors(exchange, cors, intake.fields.forward);
  if (verdict === "call" && endpoint !== null) {
    exchange.callersDeadline = intake.lowersDeadline(endpoint);
    send(exchange, intake.call(endpoint, exchange.method, intake.target, exchange.secure, exchange), endpoint, intake, router, ahead);
  } else if (verdict === "own") answerOwn(exchange, intake.path, router, state);
  else if (verdict === "preflight" && cors !== null) {
    exchange.answer(204, preflightAnswer(cors, intake.fields.forward, intake.allow), "");
  } else if (verdict === "allow") exchange.answer(204, ["allow", intake.allow], "");
  else {
    // Where a head could be read in two ways, so could what comes behind it.
    if (intake.refusal.code === "malformed_request") exchange.distrust();
    exchange.refuse(intake.refusal, intake.allow);
  }
}

function send(exchange: Exchange, call: Call, endpoint: LiveEndpoint, { fields }: Intake, router: Router, ahead: ReadAhead): void {
  const { contentLength, chunked, expect } = fields;
  const shardKey = shardKeyOf(exchange, endpoint, fields);
  switch (bodyPlan(contentLength, chunked)) {
    case "none":
      exchange.call = call;
      router.dispatch(endpoint, call, shardKey);
      return;
    case "whole":
      if (expect !== null) exchange.goOn();
      exchange.collect(call.headers, (pieces, trailers) => {
        call.pieces = pieces;
        call.trailers = trailers;
        exchange.call = call;
        // The table may have changed while the body came.
        router.dispatch(router.table?.endpoint(endpoint.name) ?? endpoint, call, shardKey);
      });
      return;
    case "stream":
      if (expect !== null) exchange.goOn();
      call.bodyEnded = false;
      exchange.call = call;
      router.dispatch(endpoint, call, shardKey);
      exchange.forward(call, endpoint.maxBodyBytes, ahead);
  }
}

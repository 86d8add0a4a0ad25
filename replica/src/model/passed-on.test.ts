// What a request's caller is told of a call's fault that the handler did not catch.
import { expect, test } from "@jest/globals";
import { FAULTS, type FaultCode, fault, isFaultCode } from "@headgate/core";
import { passedOn } from "./passed-on.ts";

test("a way that is blocked or broken is told of, with how long to wait, and that the handler has run", () => {
  const failure = fault("queue_full", "too many", { backend: "b", limit: "maxQueuedRequests", requestId: "r", mayHaveRun: "false" }, 700);
  expect(passedOn(failure)).toEqual(fault("queue_full", "too many", { backend: "b", limit: "maxQueuedRequests", mayHaveRun: "true" }, 700));
});

test("a replica that is busy or leaves is another one than the handler's own", () => {
  for (const code of ["replica_busy", "draining"] as const) expect(passedOn(fault(code, "no"))).toMatchObject({ code: "no_replica" });
});

test("what the handler did wrong, and what another handler threw, is told of to nobody", () => {
  const codes = Object.keys(FAULTS).filter(isFaultCode);
  const told = codes.filter((code) => passedOn(fault(code, "x")) !== null);
  const wrong: FaultCode[] = [
    "handler_error",
    "invalid_argument",
    "endpoint_not_found",
    "method_not_declared",
    "body_too_large",
    "internal",
  ];
  for (const code of wrong) expect(told).not.toContain(code);
  for (const code of told) expect(FAULTS[code].http).toBeGreaterThanOrEqual(500);
});

// The fault table: consistent in itself, and safe to look codes up in.
import { expect, test } from "@jest/globals";
import { FAULTS, GrpcStatus, HeadgateError, fault, isFaultCode, refuse } from "@headgate/core";

const ROWS = Object.entries(FAULTS);

test("every code is written in snake case and has a title, an HTTP status of a failure and a gRPC status", () => {
  for (const [code, row] of ROWS) {
    expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
    expect(row.title).toMatch(/^[A-Z]/);
    expect(row.http >= 400 && row.http < 600).toBe(true);
    expect(Object.hasOwn(GrpcStatus, row.grpc)).toBe(true);
  }
});

test("what says unavailable over HTTP or gRPC can be repeated; what blames the caller cannot", () => {
  for (const [code, row] of ROWS) {
    if (row.http === 503 || row.http === 504 || row.grpc === "UNAVAILABLE") expect([code, row.retryable]).toEqual([code, true]);
    if (row.http === 400 || row.http === 401 || row.http === 403 || row.http === 404) expect([code, row.retryable]).toEqual([code, false]);
  }
});

test("only the table's own codes are codes", () => {
  for (const [code] of ROWS) expect(isFaultCode(code)).toBe(true);
  for (const other of ["", "Internal", "__proto__", "constructor", "toString", "hasOwnProperty"]) expect(isFaultCode(other)).toBe(false);
});

test("an error tells its code, details and whether a repeat can help", () => {
  const error = new HeadgateError(fault("queue_full", "too many", { limit: "1000" }, 250), { cause: "why" });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "HeadgateError",
    message: "too many",
    code: "queue_full",
    details: { limit: "1000" },
    retryable: true,
    retryAfterMs: 250,
    cause: "why",
  });
  expect(() => refuse("route_taken", "taken", { route: "/a" })).toThrow(
    expect.objectContaining({ code: "route_taken", retryable: false, details: { route: "/a" } }),
  );
});

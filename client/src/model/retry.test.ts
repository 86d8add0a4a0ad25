// When a request that lost its replica is sent again, and the budget that keeps retries from piling up.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type FailedAttempt, FULL_BUDGET, deposit, mayRetry, withdraw } from "./retry.ts";

const attempt = (changes: Partial<FailedAttempt>): FailedAttempt => ({
  method: "POST",
  sent: true,
  replayable: true,
  answered: false,
  retries: 0,
  ...changes,
});

test.each([
  ["a GET that was sent", { method: "GET" }, true],
  ["a PUT that was sent", { method: "PUT" }, true],
  ["a DELETE that was sent", { method: "DELETE" }, true],
  ["a POST that was sent", { method: "POST" }, false],
  ["a PATCH that was sent", { method: "PATCH" }, false],
  ["a method nobody knows that was sent", { method: "BREW" }, false],
  ["a method in lower case, which is another method", { method: "get" }, false],
  ["a POST that was never sent", { method: "POST", sent: false }, true],
  ["a GET whose answer had begun", { method: "GET", answered: true }, false],
  ["a request never sent but answered", { sent: false, answered: true }, false],
  ["a GET whose body is gone", { method: "GET", replayable: false }, false],
  ["a GET that was tried twice", { method: "GET", retries: 1 }, false],
] as const)("%s: %j, sent again: %s", (_name, changes, wanted) => {
  expect(mayRetry(attempt(changes))).toBe(wanted);
});

test("whatever happened: once at most, never after any of the answer, never where it may have run and must not twice", () => {
  const any = fc.record({
    method: fc.constantFrom("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "POST", "PATCH", "CONNECT", "get", ""),
    sent: fc.boolean(),
    replayable: fc.boolean(),
    answered: fc.boolean(),
    retries: fc.nat(3),
  });
  fc.assert(
    fc.property(any, (happened) => {
      if (!mayRetry(happened)) return;
      expect(happened).toMatchObject({ answered: false, replayable: true, retries: 0 });
      if (happened.sent) expect(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]).toContain(happened.method);
    }),
  );
});

test("however requests and retries come, there are never more retries than the share of requests and what was saved", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ requests: fc.nat(50), lost: fc.nat(50) }), { maxLength: 100 }), fc.nat(100), (waves, percent) => {
      let budget = FULL_BUDGET;
      let requests = 0;
      let retries = 0;
      for (const wave of waves) {
        requests += wave.requests;
        budget = deposit(budget, wave.requests, percent);
        for (let i = 0; i < wave.lost; i++) {
          const left = withdraw(budget);
          if (left === null) break;
          budget = left;
          retries++;
        }
        expect(retries).toBeLessThanOrEqual((requests * percent) / 100 + 100);
      }
    }),
  );
});

test("with the budget spent, one request in five may be sent again at 20 %", () => {
  let budget = FULL_BUDGET;
  for (let next = withdraw(budget); next !== null; next = withdraw(budget)) budget = next;
  let retries = 0;
  for (let i = 0; i < 1_000; i++) {
    budget = deposit(budget, 1, 20);
    const next = withdraw(budget);
    if (next === null) continue;
    budget = next;
    retries++;
  }
  expect(retries).toBeGreaterThanOrEqual(199);
  expect(retries).toBeLessThanOrEqual(200);
});

test("quiet hours save up a bounded number of retries", () => {
  let budget = deposit(FULL_BUDGET, 1_000_000, 20);
  let retries = 0;
  for (let next = withdraw(budget); next !== null; next = withdraw(budget)) {
    budget = next;
    retries++;
  }
  expect(retries).toBe(100);
});

test("at 0 % nothing is ever saved", () => {
  expect(withdraw(deposit({ saved: 0 }, 1_000_000, 0))).toBeNull();
});

// When a request that lost its replica is sent again, and the budget that keeps retries from piling up.
import { expect, test } from "@jest/globals";
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

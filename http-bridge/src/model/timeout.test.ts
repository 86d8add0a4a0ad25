// The caller's own deadline: decimal, with a unit or in seconds.
import { expect, test } from "@jest/globals";
import { parseTimeout } from "./timeout.ts";

test.each([
  ["250ms", 250],
  ["1.5s", 1_500],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["5", 5_000],
  ["0.25", 250],
  ["0.0001", 1],
  ["0.5ms", 1],
  ["999999999s", 999_999_999_000],
])("%s is %d ms", (text, ms) => {
  expect(parseTimeout(text)).toBe(ms);
});

test.each([
  "",
  "0",
  "0ms",
  "0.0s",
  "-1",
  "+1",
  "1e3",
  ".5",
  "5.",
  "1,5",
  "5 s",
  " 5",
  "5S",
  "5sec",
  "1d",
  "Infinity",
  "٥",
  "1234567890",
  "5s5s",
])("%j is none", (text) => {
  expect(parseTimeout(text)).toBeNull();
});

// The header grpc-timeout, as gRPC peers write it.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatTimeout, parseTimeout } from "./timeout.ts";

test.each<[string | undefined, number | null]>([
  [undefined, 0],
  ["1S", 1_000],
  ["250m", 250],
  ["2M", 120_000],
  ["1H", 3_600_000],
  ["1500u", 2],
  ["999n", 1],
  ["0m", 1],
  ["99999999H", 359_999_996_400_000],
  ["123456789m", null],
  ["", null],
  ["m", null],
  ["10", null],
  ["1s", null],
  ["-1m", null],
  ["1.5S", null],
  ["1m\n", null],
])("%j is %p ms", (text, timeoutMs) => {
  expect(parseTimeout(text)).toBe(timeoutMs);
});

test("what is written is read as at least as much, and close to it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (timeoutMs) => {
      const read = parseTimeout(formatTimeout(timeoutMs)) ?? 0;
      expect(read).toBeGreaterThanOrEqual(Math.min(timeoutMs, 99_999_999_000));
      expect(read - timeoutMs).toBeLessThan(1_000);
    }),
  );
});

// Closes of WebSockets: which codes may be sent, and how a close frame is written and read.
import { expect, test } from "@jest/globals";
import { closeProblem, decodeClose, encodeClose, isCloseCode } from "./websocket.ts";

test("codes that may be sent are those that are defined for it, and those for programs' own use", () => {
  const sendable = Array.from({ length: 5_100 }, (_, code) => code).filter(isCloseCode);
  expect(sendable.filter((code) => code < 3_000)).toEqual([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]);
  expect([sendable.at(12), sendable.at(-1), sendable.length]).toEqual([3_000, 4_999, 2_012]);
  expect([1000.5, Number.NaN, -1000, Infinity].some(isCloseCode)).toBe(false);
});

test("a close is read as it was written", () => {
  for (const close of [
    { code: 1000, reason: "" },
    { code: 4_999, reason: "größe 🎉" },
    { code: 1005, reason: "" },
  ]) {
    expect(decodeClose(encodeClose(close))).toEqual(close);
  }
  expect(decodeClose(null)).toEqual({ code: 1005, reason: "" });
});

test.each([
  ["one byte", [3]],
  ["a code that stands for none", [1005 >> 8, 1005 & 255]],
  ["a code of no range", [0, 1]],
  ["a reason that is too long", [1000 >> 8, 1000 & 255, ...Array<number>(124).fill(0x61)]],
])("%s is no close", (_what, bytes) => {
  expect(decodeClose(Uint8Array.from(bytes))).toBeNull();
});

test("the reason has at most 123 bytes, whatever its characters", () => {
  expect(closeProblem(1000, "x".repeat(123))).toBeNull();
  expect(closeProblem(1000, `${"ü".repeat(61)}x`)).toBeNull();
  expect(closeProblem(1000, "ü".repeat(62))).toContain("123 bytes, not 124");
  expect(closeProblem(1006, "")).toContain("1006");
});

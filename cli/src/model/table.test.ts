import { expect, test } from "@jest/globals";
import { renderTable, showAge, showBytes, showShare, showShares } from "./table.ts";

test("columns are as wide as their widest cell and lines end without blanks", () => {
  expect(
    renderTable(
      ["name", "n"],
      [
        ["a", "1"],
        ["longer", ""],
      ],
    ),
  ).toBe("NAME    N\na       1\nlonger");
});

test("shares, ages and sizes read as people write them", () => {
  expect(showShare(0.1)).toBe("10%");
  expect(showShare(1 / 3)).toBe("33.333333%");
  expect(showShares({ a: 0.9, b: 0.1 })).toBe("a 90%, b 10%");
  expect(showShares({})).toBe("-");
  expect([59_000, 60_000, 3_600_000, 86_400_000].map((ms) => showAge(0, ms))).toEqual(["59s", "1m", "1h", "1d"]);
  expect(showBytes(null)).toBe("-");
  expect(showBytes(52_428_800)).toBe("50 MiB");
});

// The command line's values.
import { expect, test } from "@jest/globals";
import { parseOptions } from "./options.ts";

test("without flags everything is measured", () => {
  const options = parseOptions({});
  expect(options).toEqual({
    ok: true,
    value: {
      chains: undefined,
      loads: ["small", "echo64k", "post4k"],
      connections: [1, 64, 512],
      seconds: 5,
      rounds: 5,
      startFigures: true,
    },
  });
});

test("--quick is small, and what is named beside it wins", () => {
  const options = parseOptions({ quick: true, connections: "8", chains: "headgate, bare" });
  expect(options).toMatchObject({
    ok: true,
    value: { chains: ["headgate", "bare"], loads: ["small"], connections: [8], seconds: 1, startFigures: false },
  });
});

test.each([
  [{ chains: "bare,nginx" }, "nginx"],
  [{ loads: "big" }, "big"],
  [{ seconds: "0.5" }, "0.5"],
  [{ connections: "1,,2" }, '""'],
  [{ rounds: "0" }, "0"],
])("%j is refused, naming what is wrong", (flags, word) => {
  const options = parseOptions(flags);
  expect(options.ok ? "accepted" : options.error).toContain(word);
});

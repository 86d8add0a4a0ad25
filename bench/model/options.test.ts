// The command line's values.
import { expect, test } from "@jest/globals";
import { FIGURE_LOAD_NAMES } from "./loads.ts";
import { parseOptions } from "./options.ts";

test("without flags everything is measured", () => {
  const options = parseOptions({});
  expect(options).toEqual({
    ok: true,
    value: {
      chains: undefined,
      loads: ["small", "echo64k", "post4k"],
      figureLoads: [...FIGURE_LOAD_NAMES],
      before: undefined,
      quick: false,
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

test("named loads are those alone, of either kind", () => {
  expect(parseOptions({ loads: "streams" })).toMatchObject({ ok: true, value: { loads: [], figureLoads: ["streams"] } });
  expect(parseOptions({ loads: "post4k" })).toMatchObject({ ok: true, value: { loads: ["post4k"], figureLoads: [] } });
});

test("the chain of another checkout needs to know which", () => {
  expect(parseOptions({ before: "../old" })).toMatchObject({ ok: true, value: { before: "../old" } });
  const chains = ["headgate", "headgate-before"];
  expect(parseOptions({ before: "../old", chains: "headgate" })).toMatchObject({ ok: true, value: { chains } });
  expect(parseOptions({ before: "../old", chains: "headgate,headgate-before" })).toMatchObject({ ok: true, value: { chains } });
  const options = parseOptions({ chains: "headgate,headgate-before" });
  expect(options.ok ? "accepted" : options.error).toContain("--before");
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

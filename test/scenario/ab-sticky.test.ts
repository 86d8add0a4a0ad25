// A/B with sticky users, as the example program shows it: run as a user runs it, against free ports.

import { expect, test } from "@jest/globals";
import { runExample } from "../support/example.ts";

test("the A/B example prints what it promises and ends its instance", async () => {
  const { code, stdout, stderr } = await runExample("ab-sticky/main.ts");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [, first, next] = /first visit: (\d+) users see one page, (\d+) see three steps/.exec(stdout) ?? [];
  expect(Number(first) + Number(next)).toBe(300);
  // Five standard deviations around 30, here and below: keys are random.
  expect(Math.abs(Number(next) - 30)).toBeLessThan(26);
  expect(stdout).toContain("second visit: 0 users see another version");
  expect(stdout).toMatch(/sees one page: whichBackend says one_page|sees three steps: whichBackend says three_steps/);
  const [, moved] = /from 10 % to 20 %: (\d+) users move, each one page → three steps\n/.exec(stdout) ?? [];
  expect(Math.abs(Number(moved) - 30)).toBeLessThan(26);
  expect(stdout).toContain("a tester: three steps\na preview: one page\n");
});

// The texts of /proc.
import { expect, test } from "@jest/globals";
import { parsePeak, parseRollup, parseStat } from "./proc.ts";

const TAIL = "S 7 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 11 0 98765 1000000 2500 0";

test("CPU time, parent and start are read, whatever the program is called", () => {
  const value = { parentPid: 7, cpuTicks: 175, startTicks: 98_765 };
  expect(parseStat(`42 (node) ${TAIL}`)).toEqual({ ok: true, value });
  expect(parseStat(`42 (a b) c (d)) ${TAIL}`)).toEqual({ ok: true, value });
});

test("a line that is too short is refused", () => {
  expect(parseStat("42 (node) S 7").ok).toBe(false);
  expect(parseStat("").ok).toBe(false);
});

test("Rss and Pss are read, and not the lines that begin alike", () => {
  const text = "00400000-7fff [rollup]\nRss:     5000 kB\nPss:     3000 kB\nPss_Dirty:  1 kB\nPss_Anon: 2 kB\n";
  expect(parseRollup(text)).toEqual({ ok: true, value: { rssKib: 5000, pssKib: 3000 } });
  expect(parseRollup("Rss: 5 kB\n").ok).toBe(false);
});

test("the peak of resident memory is read, and a process without memory has none", () => {
  expect(parsePeak("Name:\tnode\nVmPeak:\t  900 kB\nVmHWM:\t  120 kB\nVmRSS:\t 100 kB\n")).toBe(120);
  expect(parsePeak("Name:\tkworker\n")).toBeUndefined();
});

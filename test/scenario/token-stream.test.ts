// The token-stream example, run as a user runs it, read as a browser and as curl would.

import { Script } from "node:vm";
import { expect, test } from "@jest/globals";
import { startExample } from "../support/example.ts";

test("tokens come one by one as events, go on after a lost connection, and the page can be read", async () => {
  await using example = await startExample("token-stream/main.ts", /curl -N "(http:\S+)\?/);
  const url = example.said;
  const response = await fetch(`${url}?prompt=hello&count=3`);
  const { headers } = response;
  expect([headers.get("content-type"), headers.get("cache-control")]).toEqual(["text/event-stream", "no-cache"]);
  let pieces = 0;
  let text = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    pieces++;
    text += piece;
  }
  expect(pieces).toBeGreaterThan(1);
  expect(text.split("\n\n")).toEqual([
    'event: token\nid: 0\ndata: {"token":"mill"}',
    'event: token\nid: 1\ndata: {"token":"and"}',
    'event: token\nid: 2\ndata: {"token":"the"}',
    'event: done\ndata: {"tokens":3}',
    "",
  ]);

  const rest = await (await fetch(`${url}?prompt=hello&count=3`, { headers: { "last-event-id": "1" } })).text();
  expect(rest.split("\n\n")[0]).toBe('event: token\nid: 2\ndata: {"token":"the"}');

  const page = await fetch(url);
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const script = /<script type="module">([\s\S]*)<\/script>/.exec(await page.text())?.[1] ?? "";
  expect(() => new Script(`(async () => {${script}})`)).not.toThrow();
  expect(script).toContain("new EventSource");

  expect(await example.end()).toEqual([0, null]);
});

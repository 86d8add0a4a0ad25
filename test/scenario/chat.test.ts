// The chat example, run as a user runs it, with three callers in two rooms.

import { Script } from "node:vm";
import { expect, test } from "@jest/globals";
import { startExample } from "../support/example.ts";
import { openWebSocket } from "../support/websocket.ts";

test("members of a room see who joins, what is said and who leaves, and nothing of other rooms", async () => {
  await using example = await startExample("chat/main.ts", /open (http:\S+)\/chat\/lobby/);
  const url = example.said;
  const page = await fetch(`${url}/chat/lobby`);
  const html = await page.text();
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  // A browser's first question: whether the page's program can be read at all.
  const script = /<script type="module">([\s\S]*)<\/script>/.exec(html)?.[1] ?? "";
  expect(() => new Script(`(async () => {${script}})`)).not.toThrow();
  expect(script).toContain("new WebSocket");

  const enter = (room: string, name: string) => openWebSocket(url, `/chat/${room}?name=${name}`, { headers: { origin: url } });
  const ada = await enter("lobby", "ada");
  const hear = async (who: typeof ada): Promise<unknown> => JSON.parse(String(await who.next()));
  expect(await hear(ada)).toEqual({ name: "ada", joined: true, members: 1 });
  const bob = await enter("lobby", "bob");
  const eve = await enter("attic", "eve");
  expect(await hear(ada)).toEqual({ name: "bob", joined: true, members: 2 });
  expect(await hear(bob)).toEqual({ name: "bob", joined: true, members: 2 });
  expect(await hear(eve)).toEqual({ name: "eve", joined: true, members: 1 });
  ada.ws.send("<b>hello</b>");
  expect([await hear(ada), await hear(bob)]).toEqual(Array(2).fill({ name: "ada", text: "<b>hello</b>" }));
  bob.ws.terminate();
  expect(await hear(ada)).toEqual({ name: "bob", left: true, members: 1 });
  eve.ws.send(Buffer.from([1]));
  expect(await eve.closed).toEqual({ code: 1003, reason: "text alone" });

  const ended = example.end();
  expect((await ada.closed).code).toBe(1001);
  expect(await ended).toEqual([0, null]);
});

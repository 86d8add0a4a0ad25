// A model that answers token by token, as server-sent events; GET without a prompt gives the page that reads them. What the "model" says
// is made up: what matters is that each token leaves when it is there, and that nobody computes for a caller who has left.

import { readFileSync } from "node:fs";
import { type HandlerRequest, type ServerSentEvent, eventStream } from "headgate/handler";

const WORDS = "water runs down to the mill and the wheel turns as long as the gate is open".split(" ");
const EACH_MS = 40;
const MOST_TOKENS = 200;

/** The handler. */
export class Tokens {
  readonly #page = readFileSync(new URL("page.html", import.meta.url));

  handle(request: HandlerRequest): Response {
    const { searchParams } = new URL(request.url);
    const prompt = searchParams.get("prompt");
    if (prompt === null) return new Response(this.#page, { headers: { "content-type": "text/html; charset=utf-8" } });
    const count = Math.min(MOST_TOKENS, Math.max(1, Number(searchParams.get("count") ?? "20")));
    // A browser that lost the connection says how far it has read.
    const from = Number(request.headers.get("last-event-id") ?? "-1") + 1;
    return eventStream(answer(prompt, from, count, request.signal), { keepAliveMs: 15_000 });
  }
}

async function* answer(prompt: string, from: number, count: number, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
  for (let at = from; at < count; at++) {
    yield { event: "token", id: String(at), data: { token: WORDS[(prompt.length + at) % WORDS.length] } };
    // The next one takes its time; whoever left meanwhile needs it no more.
    await new Promise((done) => setTimeout(done, EACH_MS));
    signal.throwIfAborted();
  }
  yield { event: "done", data: { tokens: count } };
}

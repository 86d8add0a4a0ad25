// A model that is as quick with 32 inputs as with a few: a handler that takes lists of requests. What it computes stands for
// anything with a price for each call, such as a pass over a processor of its own.

import type { BatchContext, HandlerRequest } from "headgate/handler";

const CALL_MS = 20;
const EACH_MS = 0.5;

/** The handler: one object in each replica, one call at a time (maxConcurrentBatches is 1). */
export class Model {
  static acceptsBatches = true;
  #calls = 0;

  async handle(requests: readonly HandlerRequest<{ text: string }>[], { signal }: BatchContext): Promise<readonly unknown[]> {
    const call = ++this.#calls;
    // One input that cannot be read fails alone.
    const inputs = await Promise.all(requests.map((request) => request.json().then(textOf, () => null)));
    await pass(inputs.length, signal);
    return inputs.map((text) =>
      text === null
        ? Response.json({ error: 'the body must be {"text": "…"}' }, { status: 400 })
        : { label: labelOf(text), call, of: inputs.length },
    );
  }
}

function textOf(body: unknown): string | null {
  return typeof body === "object" && body !== null && "text" in body && typeof body.text === "string" ? body.text : null;
}

/** The pass over all inputs. It ends early when every caller has left. */
function pass(count: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, CALL_MS + EACH_MS * count);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function labelOf(text: string): "question" | "shout" | "statement" {
  return text.endsWith("?") ? "question" : text.endsWith("!") ? "shout" : "statement";
}

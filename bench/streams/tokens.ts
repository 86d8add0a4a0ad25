// The stream that every chain serves: events of a few tens of bytes, as a language model's tokens come.
// Headgate takes the function by its source, so it uses nothing from outside itself; the bare server imports the same.

/** What the handler uses of a web-standard Request. */
interface StreamRequest {
  readonly url: string;
}

/**
 * Events of the query `?count=100&each=50`: that many, one each so many milliseconds and up to a fifth more or less,
 * the first at once. A path that ends in "/response" answers with a Response, any other with the generator itself.
 */
export function streamHandler(request: StreamRequest): AsyncIterable<string> | Response {
  const [, count, eachMs] = /count=(\d+)&each=(\d+)/.exec(request.url) ?? ["", "1", "0"];
  async function* tokens(): AsyncGenerator<string> {
    for (let at = 0; at < Number(count); at++) {
      const waitMs = Number(eachMs) * (0.8 + 0.4 * Math.random());
      if (at > 0 && waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      yield `data: {"index":${at},"token":"word"}\n\n`;
    }
  }
  if (!request.url.includes("/response")) return tokens();
  const events = tokens();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await events.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** The whole body of a right answer. */
export function expectedBody(count: number): string {
  return Array.from({ length: count }, (_, at) => `data: {"index":${at},"token":"word"}\n\n`).join("");
}

// The handlers that `headgate start --example` serves: one of each kind. They need nothing but the platform.

/** The request as these handlers use it; `HandlerRequest` of "headgate" has all of it. */
interface ParamsRequest extends Request {
  readonly params: Readonly<Record<string, string>>;
}

/** A function: stateless. A string becomes text/plain. */
export function hello(request: Request): string {
  const name = new URL(request.url).searchParams.get("name") ?? "world";
  return `hello, ${name}!\n`;
}

/** A class: one object in each replica, so each counts by itself. An object becomes JSON. */
export class Counter {
  #count: number;

  constructor(start = 0) {
    this.#count = start;
  }

  handle(): { count: number; pid: number } {
    this.#count += 1;
    return { count: this.#count, pid: process.pid };
  }
}

/** A route with a parameter: /items/:id. A web-standard Response goes as it is. */
export function item(request: ParamsRequest): Response {
  const id = Number(request.params.id);
  if (!Number.isInteger(id)) return Response.json({ error: "an item's id is a whole number" }, { status: 400 });
  return Response.json({ id, name: `item ${id}` });
}

/** POST with a JSON body, which comes back. */
export async function echo(request: Request): Promise<Response> {
  try {
    return Response.json({ youSent: await request.json() });
  } catch {
    return Response.json({ error: "the body must be JSON" }, { status: 400 });
  }
}

/** Server-sent events: an async iterable is streamed piece by piece, and ends early when the caller leaves. */
export function stream(request: Request): Response {
  async function* ticks(): AsyncGenerator<Uint8Array> {
    for (let tick = 1; tick <= 5 && !request.signal.aborted; tick += 1) {
      yield new TextEncoder().encode(`data: {"tick":${tick}}\n\n`);
      await new Promise((done) => setTimeout(done, 200));
    }
  }
  return new Response(ReadableStream.from(ticks()), { headers: { "content-type": "text/event-stream" } });
}

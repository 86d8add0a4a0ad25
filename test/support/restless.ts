// Handlers that do as their query says, for the scenario "rest": well, late, never, badly. A module of the instance under test: it imports
// nothing at run time but Node.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { HandlerRequest } from "headgate";

/** The files of an instance whose backends are named "./restless.ts#EXPORT". */
export const RESTLESS_FILES: Readonly<Record<string, string>> = { "restless.ts": readFileSync(import.meta.filename, "utf8") };

const later = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const gone = (signal: AbortSignal): Promise<void> =>
  new Promise((done) => (signal.aborted ? done() : signal.addEventListener("abort", () => done(), { once: true })));

async function* pieces(token: string, count: number, breaks: boolean): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) {
    yield token;
    await later(2);
  }
  if (breaks) throw new Error("in the middle");
}

async function act(request: HandlerRequest): Promise<unknown> {
  const { searchParams } = new URL(request.url);
  const token = searchParams.get("token") ?? "";
  const ms = Number(searchParams.get("ms"));
  if (!request.isShadow) appendFileSync("ran", `${token}\n`);
  switch (searchParams.get("do")) {
    case "late":
      await later(ms);
      return token;
    case "hold":
      await gone(request.signal);
      throw request.signal.reason;
    case "throw":
      await later(ms);
      throw new Error("thrown");
    case "stream":
      return pieces(token, 10, false);
    case "break":
      return pieces(token, 5, true);
    case "length":
      return `${token}${(await request.bytes()).length}`;
    case "echo":
      return new Response(request.body);
    case "meet":
      appendFileSync("met", `${token}\n`);
      while (!existsSync(`go-${token}`) && !request.signal.aborted) await later(5);
      return token;
    default:
      return token;
  }
}

/** Takes WebSockets too, and tells what its process holds. */
export class Restless {
  async handle(request: HandlerRequest): Promise<unknown> {
    if (!request.isWebSocket) return act(request);
    const socket = request.acceptWebSocket();
    for await (const message of socket) await socket.send(message);
    return undefined;
  }
  timers(): number {
    return process.getActiveResourcesInfo().filter((name) => name === "Timeout" || name === "Immediate").length;
  }
}

/** The same for a list of requests. */
export function many(requests: readonly HandlerRequest[]): readonly Promise<unknown>[] {
  return requests.map((request) => act(request));
}
many.acceptsBatches = true;

/** Hands its request on to the endpoint that the query names. */
export function front(request: HandlerRequest): Promise<Response> {
  const { searchParams, search } = new URL(request.url);
  const body = request.method === "GET" ? undefined : (request.body ?? undefined);
  return request.handle(searchParams.get("to") ?? "").send(body, { path: `/${search}` });
}

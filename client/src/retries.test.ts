// Retries against replicas that break their connections: how often each request is tried, counted where it arrives.

import { mkdtemp, rm } from "node:fs/promises";
import { type Http2Server, type ServerHttp2Session, type ServerHttp2Stream, createServer } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Fault, parseEndpointSpec } from "@headgate/core";
import { ResponseFrame, SessionRequest, SessionResponse } from "@headgate/proto/replica";
import { Call, type CallSink } from "./call.ts";
import { Router } from "./router.ts";

/** What becomes of a request that arrives: it is answered, its answer begins and breaks off, or the connection just breaks. */
type Fate = "answered" | "begun" | "broken";

let folder = "";
let fateOf: () => Fate = () => "answered";
const arrived = new Map<string, number>();
const servers: Http2Server[] = [];
const connections = new Set<ServerHttp2Session>();

const framed = (message: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

/** A replica that speaks just enough of Session. */
async function serve(address: string): Promise<void> {
  const server = createServer();
  server.on("session", (session) => connections.add(session));
  server.on("sessionError", () => undefined);
  server.on("stream", (generic) => {
    // A server's streams are ServerHttp2Streams; the event's type does not say so.
    const stream = generic as ServerHttp2Stream;
    const { session } = stream;
    stream.on("error", () => undefined);
    session?.on("error", () => undefined);
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    let held: Buffer = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
        const end = 5 + held.readUInt32BE(1);
        const { frames } = SessionRequest.decode(held.subarray(5, end));
        held = held.subarray(end);
        for (const { streamId, head } of frames) {
          if (head === undefined) continue;
          arrived.set(head.requestId, (arrived.get(head.requestId) ?? 0) + 1);
          const fate = fateOf();
          if (fate !== "broken" && !stream.destroyed) {
            const frame = ResponseFrame.fromPartial({ streamId, head: { status: 200 }, end: fate === "answered" });
            stream.write(framed(SessionResponse.encode(SessionResponse.fromPartial({ frames: [frame] })).finish()));
          }
          // What was written before is read before.
          if (fate !== "answered") setTimeout(() => session?.destroy(), 5);
        }
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(address, resolve));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "headgate-retries-"));
  await Promise.all([serve(join(folder, "a")), serve(join(folder, "b"))]);
});

afterAll(async () => {
  for (const connection of connections) connection.destroy();
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  /** How often it had arrived when its answer began; 0: it never did. */
  begunAfter: number;
  ended: "whole" | Fault;
}

/** Sends a request and waits for what comes of it. */
function send(router: Router, id: string, method: string): Promise<Outcome> {
  return new Promise((resolve) => {
    let begunAfter = 0;
    const sink: CallSink = {
      head: (_status, _headers, _body, end) => {
        expect(begunAfter).toBe(0);
        begunAfter = arrived.get(id) ?? 0;
        if (end) resolve({ begunAfter, ended: "whole" });
        return true;
      },
      body: (_piece, end) => {
        if (end) resolve({ begunAfter, ended: "whole" });
        return true;
      },
      release: () => true,
      fault: (failure) => resolve({ begunAfter, ended: failure }),
      writable: () => undefined,
    };
    const endpoint = router.table?.endpoint("e");
    if (endpoint === undefined) throw new Error("no endpoint");
    const call = new Call("e", method, "/", [], id, performance.now() + 20_000, sink);
    call.pieces.push(Buffer.from("body"));
    router.dispatch(endpoint, call, null);
  });
}

function newRouter(): Router {
  const router = new Router();
  const endpoint = parseEndpointSpec({ name: "e", route: "/", traffic: [{ backend: "b", weight: 1 }], shadows: [] });
  if (!endpoint.ok) throw new Error(endpoint.error.message);
  const replicas = ["a", "b"].map((id) => ({ id, address: `unix:${join(folder, id)}`, transport: "session" as const }));
  const backend = { name: "b", maxConcurrentQueries: 1_000, maxQueuedRequests: 10_000, replicas };
  const table = { epoch: "e", sequence: 1n, revision: 1n, endpoints: [endpoint.value], backends: [backend] };
  expect(router.apply(table)).toBe("in_force");
  return router;
}

const METHODS = ["GET", "PUT", "DELETE", "POST", "PATCH"];
const isIdempotent = (method: string): boolean => method !== "POST" && method !== "PATCH";

test.each<[string, readonly Fate[]]>([
  ["breaks its connection at every request", ["broken"]],
  ["breaks off every answer", ["begun"]],
  ["breaks at some, begins some, answers the rest", ["broken", "begun", "answered", "answered", "answered", "answered"]],
])("a backend that %s: no request is tried a third time, none that may have run and must not is tried again", async (_name, fates) => {
  let turn = 0;
  fateOf = () => fates[turn++ % fates.length] ?? "answered";
  arrived.clear();
  const router = newRouter();
  try {
    const requests = Array.from({ length: 600 }, (_, i) => ({ id: `${_name}-${i}`, method: METHODS[i % METHODS.length] ?? "GET" }));
    const outcomes: Outcome[] = [];
    // In waves, so that there is always something to break.
    for (let at = 0; at < requests.length; at += 150) {
      outcomes.push(...(await Promise.all(requests.slice(at, at + 150).map(({ id, method }) => send(router, id, method)))));
    }
    for (const [index, { id, method }] of requests.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) throw new Error("no outcome");
      const tries = arrived.get(id) ?? 0;
      expect([id, tries <= (isIdempotent(method) ? 2 : 1)]).toEqual([id, true]);
      // Once any of the answer was there, it was not tried again.
      if (outcome.begunAfter > 0) expect(tries).toBe(outcome.begunAfter);
      if (outcome.ended === "whole") continue;
      expect(outcome.ended).toMatchObject({ code: "replica_lost", details: { mayHaveRun: tries > 0 ? "true" : expect.any(String) } });
    }
    const all = [...arrived.values()].reduce((sum, tries) => sum + tries, 0);
    // A fifth of the requests beside the hundred that are saved at the start.
    expect(all).toBeLessThanOrEqual(requests.length * 1.2 + 100);
    if (fates.length === 1 && fates[0] === "broken") expect(all).toBeGreaterThan(requests.length);
  } finally {
    router.close();
  }
});

// A replica that breaks the contract, in every way that came to mind: its caller gets 502 or a connection that breaks off, and nobody
// else notices. The ways themselves stand in ../support/garbage-replica.ts.

import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { REPOSITORY, startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

beforeAll(async () => {
  const program = join(REPOSITORY, "test", "support", "garbage-replica.ts");
  for (const kind of ["session", "direct", "unary"]) {
    await serve.createBackend(kind, { command: [process.execPath, program, kind] });
    await serve.createEndpoint(kind, { backend: kind, route: `/${kind}/*`, methods: ["GET", "POST"], requestTimeoutMs: 1_000 });
  }
  await serve.createBackend("good", () => "good");
  await serve.createEndpoint("good", { backend: "good", route: "/good" });
});

interface Seen {
  /** 0: no answer at all. */
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** Whether the answer ended as it should. */
  readonly whole: boolean;
  /** Port of this end of the connection. */
  readonly port: number;
  readonly headers: IncomingMessage["headers"];
}

/** One request on a connection of an agent. */
function ask(agent: Agent, path: string, method: "GET" | "POST" = "GET"): Promise<Seen> {
  return new Promise((resolve) => {
    let port = 0;
    const failed = (): void => resolve({ status: 0, type: "", body: "", whole: false, port, headers: {} });
    const asked = request(`${serve.httpUrl}${path}`, { agent, method }, (response) => {
      let body = "";
      response.on("data", (piece: Buffer) => (body += piece.toString("latin1")));
      response.on("error", () => undefined);
      response.on("close", () => {
        const { statusCode: status = 0, complete: whole, headers } = response;
        resolve({ status, type: headers["content-type"] ?? "", body, whole, port, headers });
      });
    });
    asked.on("socket", (socket) => {
      port = socket.localPort ?? 0;
    });
    asked.on("error", failed);
    asked.end();
  });
}

/** What a caller sees: the right answer; 502; 504; a connection that breaks off, as the answer had begun; the handler's own failure. */
type Outcome = "fine" | "502" | "504" | "cut" | "500";

function outcomeOf({ status, type, body, whole }: Seen): string {
  if (status === 0) return "cut";
  if (status === 200) return whole ? (body === "fine" ? "fine" : `200 ${body.slice(0, 40)}`) : "cut";
  if (!whole || type !== "application/problem+json") return `${status} ${type} ${body.slice(0, 80)}`;
  const problem: unknown = JSON.parse(body);
  expect(problem).toMatchObject({ status });
  // Nothing of what the replica said on the way.
  expect(body).not.toMatch(/secret|reinstall|<html>|for nobody/);
  expect(body.length).toBeLessThan(6_000);
  return String(status);
}

const SESSION: readonly (readonly [string, Outcome])[] = [
  ["no-protobuf", "502"],
  ["wrong-wire-types", "502"],
  ["truncated-frame", "502"],
  ["frame-longer-than-message", "502"],
  ["varint-without-end", "502"],
  ["giant-length", "502"],
  ["compressed-flag", "502"],
  ["message-of-5-MiB", "502"],
  ["last-word-amid-requests", "502"],
  ["empty-message", "fine"],
  ["unknown-stream", "502"],
  ["stream-zero", "502"],
  ["huge-stream-number", "502"],
  ["head-twice", "cut"],
  ["body-before-head", "502"],
  ["end-before-head", "502"],
  ["end-twice", "fine"],
  ["frames-after-end", "fine"],
  ["head-and-fault", "502"],
  ["fault-after-begin", "cut"],
  ["status-0", "502"],
  ["status-99", "502"],
  ["status-101", "502"],
  ["status-600", "502"],
  ["status-1000", "502"],
  ["status-4294967295", "502"],
  ["name-with-space", "502"],
  ["name-with-line-end", "502"],
  ["name-with-nul", "502"],
  ["name-in-upper-case", "502"],
  ["name-empty", "502"],
  ["value-with-line-end", "502"],
  ["value-with-nul", "502"],
  ["value-beyond-latin-1", "502"],
  ["cookie-with-line-end", "502"],
  ["fields-10000", "502"],
  ["field-of-100-KiB", "502"],
  ["hop-by-hop", "fine"],
  ["trailers-with-line-end", "fine"],
  ["trailers-10000", "cut"],
  ["more-than-its-credit", "cut"],
  ["whole-beyond-its-credit", "502"],
  ["credit-overflow", "502"],
  ["fault-unknown", "502"],
  ["fault-of-others", "502"],
  ["fault-of-1-MiB", "500"],
  ["fault-with-lone-surrogates", "500"],
  ["stream-reset", "502"],
  ["stream-ended", "502"],
  ["goaway", "502"],
  ["connection-closed", "502"],
  ["closed-within-a-frame", "502"],
  ["closed-after-begin", "cut"],
  ["no-answer", "504"],
  ["no-end", "cut"],
  ["answer-after-cancel", "504"],
  ["draining-and-on", "fine"],
  ["room-and-pongs-unasked", "fine"],
];

const UNARY: readonly (readonly [string, Outcome])[] = [
  ["no-protobuf", "502"],
  ["wrong-wire-types", "502"],
  ["truncated-frame", "502"],
  ["frame-longer-than-message", "502"],
  ["varint-without-end", "502"],
  ["giant-length", "502"],
  ["compressed-flag", "502"],
  ["message-of-5-MiB", "502"],
  ["empty-message", "502"],
  ["head-and-fault", "502"],
  ["status-0", "502"],
  ["status-99", "502"],
  ["status-600", "502"],
  ["name-with-space", "502"],
  ["name-with-line-end", "502"],
  ["value-with-line-end", "502"],
  ["value-with-nul", "502"],
  ["cookie-with-line-end", "502"],
  ["fields-10000", "502"],
  ["field-of-100-KiB", "502"],
  ["hop-by-hop", "fine"],
  ["fault-unknown", "502"],
  ["fault-of-1-MiB", "500"],
  ["stream-reset", "502"],
  ["stream-ended", "502"],
  ["goaway", "502"],
  ["connection-closed", "502"],
  ["closed-within-a-frame", "502"],
  ["no-answer", "504"],
  ["answer-after-cancel", "504"],
];

/** Ways that leave nothing to be trusted on the whole connection, or end it: others on it are lost with it, and sent again once. */
const FATAL = new Set(
  [
    "no-protobuf wrong-wire-types truncated-frame frame-longer-than-message varint-without-end giant-length compressed-flag",
    "message-of-5-MiB last-word-amid-requests unknown-stream stream-zero huge-stream-number",
    "stream-reset stream-ended goaway connection-closed closed-within-a-frame closed-after-begin",
  ].flatMap((names) => names.split(" ")),
);

const CASES = [
  ...["session", "direct"].flatMap((kind) => SESSION.map((row) => [kind, ...row] as const)),
  ...UNARY.map((row) => ["unary", ...row] as const),
];

test.each(CASES)("over %s, %s: the caller sees %s, and nobody else notices", async (kind, way, outcome) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const others = new Agent({ keepAlive: true });
  try {
    // Requests that the same replica has at the same time.
    const beside = ["a", "b"].map((token) => ask(others, `/${kind}/echo/${way}-${token}`));
    const seen = await ask(agent, `/${kind}/${way}`);
    expect(outcomeOf(seen)).toBe(outcome);
    // The next request of the same connection, where it was not broken off.
    const next = await ask(agent, "/good");
    expect([next.status, next.body, next.whole]).toEqual([200, "good", true]);
    if (outcome !== "cut") expect(next.port).toBe(seen.port);
    expect(seen.headers).not.toHaveProperty("x-a");
    for (const [index, answer] of (await Promise.all(beside)).entries()) {
      if (answer.status === 502 && FATAL.has(way)) expect(outcomeOf(answer)).toBe("502");
      else expect([answer.status, answer.body]).toEqual([200, `${way}-${["a", "b"][index]}`]);
    }
    const again = await waitFor("the backend's answer", async () => {
      const answer = await ask(agent, `/${kind}/fine`);
      return answer.status === 200 ? answer : null;
    });
    expect(again.body).toBe("fine");
  } finally {
    agent.destroy();
    others.destroy();
  }
});

test.each(["session", "unary"])("a handle gets an error with a code for what cannot be read, over %s", async (kind) => {
  const handle = serve.handle(kind);
  for (const way of [
    "no-protobuf",
    "status-0",
    "name-with-line-end",
    "value-with-nul",
    "fields-10000",
    "fault-unknown",
    "head-and-fault",
  ]) {
    const outcome = await handle.send(undefined, { path: `/${kind}/${way}` }).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ name: "HeadgateError", code: "replica_protocol", details: { mayHaveRun: "true" } });
  }
  expect(await (await handle.send(undefined, { path: `/${kind}/fine` })).text()).toBe("fine");
});

test("a POST that a broken replica may have run is not sent again, and its caller is told so", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (const way of ["no-protobuf", "connection-closed", "status-0"]) {
      const seen = await ask(agent, `/session/${way}`, "POST");
      expect(outcomeOf(seen)).toBe("502");
      expect(JSON.parse(seen.body)).toMatchObject({ mayHaveRun: true });
    }
  } finally {
    agent.destroy();
  }
});

test("after all of that the bridge is the same process, and nothing is left in flight", async () => {
  const status = await waitFor("an idle bridge", async () => {
    const now = await serve.status();
    return now.bridges.every((bridge) => bridge.inFlight === 0) ? now : null;
  });
  expect(status.bridges.map(({ restarts }) => restarts)).toEqual([0]);
});

// Whatever comes together by chance (requests of every kind, callers who leave, deadlines, replicas that are killed, settings that change),
// in the end everything is at rest: each request was answered as it should be and ran no more often, and every place is free again. The
// seed of a round says what happens in it; when, the machine does.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { startInstance, waitFor } from "../support/instance.ts";
import { RESTLESS_FILES, type Restless } from "../support/restless.ts";
import { openWebSocket } from "../support/websocket.ts";

const FIRST_SEED = Number(process.env.HEADGATE_SEED ?? "1");
const ROUNDS = Number(process.env.HEADGATE_ROUNDS ?? "6");
const SEEDS = Array.from({ length: ROUNDS }, (_, round) => FIRST_SEED + round);
const REQUESTS = 80;

const instance = await startInstance({ files: { ...RESTLESS_FILES, ran: "", met: "" } });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

const config = { maxConcurrentQueries: 4, maxQueuedRequests: 30 };
const methods = ["handle", "timers"];
await serve.createBackend({ name: "plain", handler: "./restless.ts#Restless", config: { ...config, numReplicas: 2, methods } });
await serve.createBackend({ name: "other", handler: "./restless.ts#Restless", config: { ...config, methods } });
await serve.createBackend({ name: "many", handler: "./restless.ts#many", config: { ...config, maxBatchSize: 3, batchWaitTimeoutMs: 5 } });
await serve.createBackend({ name: "front", handler: "./restless.ts#front", config: { ...config, maxConcurrentQueries: 20 } });
for (const name of ["plain", "many", "front"]) {
  await serve.createEndpoint(name, { backend: name, route: `/${name}`, methods: ["GET", "POST", "PUT"] });
}
await serve.createEndpoint("split", { backend: "plain", route: "/split", methods: ["GET", "POST", "PUT"], affinity: { cookie: "s" } });
await serve.setTraffic("split", { plain: 0.5, other: 0.5 });
await serve.shadowTraffic("plain", "other", 0.5);
const bridges = async () => (await serve.status()).bridges.map(({ pid }) => pid);
const bridgesAtFirst = await bridges();

const later = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const linesOf = async (file: string) => (await readFile(join(instance.root, file), "utf8")).split("\n").filter(Boolean);

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One round's dice. */
class Dice {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = chance(seed);
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
  of<T>(...all: readonly [T, ...T[]]): T {
    return all[this.below(all.length)] ?? all[0];
  }
}

interface Asked {
  readonly token: string;
  readonly method: string;
  readonly path: string;
  readonly deed: string;
  readonly bytes: number;
  readonly body: string | ReadableStream<Uint8Array> | null;
  readonly deadlineMs: number | null;
  readonly leavesAfterMs: number | null;
  readonly afterMs: number;
}

function ask(dice: Dice, token: string): Asked {
  const endpoint = dice.of("plain", "plain", "many", "front", "split", "split");
  const deed = dice.of("late", "late", "hold", "throw", "stream", "break", "length", "echo", "at once");
  const uploads = deed === "length" || deed === "echo";
  const method = uploads ? dice.of("POST", "PUT") : dice.of("GET", "GET", "POST", "PUT");
  const bytes = uploads ? dice.of(0, 10, 5_000, 70_000, 400_000) : 0;
  const to = endpoint === "front" ? `&to=${dice.of("plain", "many", "split")}` : "";
  return {
    token,
    method,
    path: `/${endpoint}?token=${token}&do=${deed}&ms=${dice.below(100)}${to}`,
    deed,
    bytes,
    body: !uploads ? null : dice.next() < 0.5 ? "a".repeat(bytes) : inPieces(bytes, dice.below(5)),
    deadlineMs: deed === "hold" || dice.next() < 0.2 ? 20 + dice.below(200) : null,
    leavesAfterMs: dice.next() < 0.25 ? dice.below(150) : null,
    afterMs: dice.below(300),
  };
}

function inPieces(bytes: number, ms: number): ReadableStream<Uint8Array> {
  let left = bytes;
  return new ReadableStream({
    async pull(controller) {
      await later(ms);
      const size = Math.min(left, 20_000);
      left -= size;
      if (size > 0) controller.enqueue(new Uint8Array(size).fill(97));
      else controller.close();
    },
  });
}

/** What came of a request: its status, 0 where there is none; its text, null where it is not whole. */
interface Answer {
  readonly status: number;
  readonly text: string | null;
}

async function send({ method, path, body, deadlineMs, leavesAfterMs, afterMs }: Asked): Promise<Answer> {
  await later(afterMs);
  const caller = new AbortController();
  if (leavesAfterMs !== null) setTimeout(() => caller.abort(), leavesAfterMs);
  const headers: Record<string, string> = deadlineMs === null ? {} : { "x-request-timeout": `${deadlineMs}ms` };
  const init = { method, headers, signal: caller.signal, ...(body === null ? {} : { body, duplex: "half" as const }) };
  let status = 0;
  try {
    const response = await instance.fetch(path, init);
    ({ status } = response);
    return { status, text: await response.text() };
  } catch {
    return { status, text: null };
  }
}

const WHOLE: Readonly<Record<string, (asked: Asked) => string>> = {
  late: ({ token }) => token,
  "at once": ({ token }) => token,
  stream: ({ token }) => token.repeat(10),
  length: ({ token, bytes }) => `${token}${bytes}`,
  echo: ({ bytes }) => "a".repeat(bytes),
};
const REFUSALS = ["queue_full", "deadline_unreachable", "deadline_exceeded"];

/** What is wrong with an answer; null: nothing. `killed`: replicas were lost meanwhile. */
function problemOf(asked: Asked, { status, text }: Answer, killed: boolean): string | null {
  const { deed, deadlineMs, leavesAfterMs, body } = asked;
  // Who has gone, or is cut off with a replica or a deadline, knows nothing; an early answer to an upload may end in a reset.
  if (text === null) {
    const may = leavesAfterMs !== null || deadlineMs !== null || killed || deed === "break" || typeof body === "object";
    return may ? null : `cut off after ${status}`;
  }
  if (status === 200) return text === WHOLE[deed]?.(asked) ? null : `answered with ${text.length} characters: ${text.slice(0, 100)}`;
  const code = /"code":"(\w+)"/.exec(text)?.[1] ?? "";
  const failed = code === "handler_error" && (deed === "throw" || deed === "break" || deed === "hold");
  const lost = killed && (code === "replica_lost" || code === "no_replica");
  // A body that is lost in the middle is the handler's error.
  const halfRead = killed && code === "handler_error" && body !== null;
  return REFUSALS.includes(code) || failed || lost || halfRead ? null : `refused with ${status} ${code}: ${text.slice(0, 300)}`;
}

async function talk(dice: Dice): Promise<void> {
  const [afterMs, messages, breaksOff] = [dice.below(300), dice.below(10), dice.next() < 0.3];
  await later(afterMs);
  const socket = await openWebSocket(serve.httpUrl, "/split").catch(() => null);
  if (socket === null) return;
  for (let i = 0; i < messages; i++) {
    socket.ws.send(`${i}`);
    const echo = await socket.next().catch(() => null);
    if (echo === null) break;
    expect(echo).toBe(`${i}`);
  }
  if (breaksOff) socket.ws.terminate();
  else socket.ws.close();
  await socket.closed;
}

async function change(dice: Dice): Promise<void> {
  await later(dice.below(150));
  const share = dice.of(0, 0.2, 0.5, 1);
  await dice.of<() => Promise<unknown>>(
    () => serve.updateBackend("plain", { config: { maxConcurrentQueries: 2 + dice.below(5) } }),
    () => serve.updateBackend("plain", { config: { numReplicas: 1 + dice.below(2) } }),
    () => serve.updateBackend("many", { config: { maxBatchSize: 1 + dice.below(5), maxConcurrentBatches: 1 + dice.below(3) } }),
    () => serve.updateBackend("many", { config: { maxConcurrentQueries: 2 + dice.below(8), batchWaitTimeoutMs: dice.below(20) } }),
    () => serve.updateBackend("other", { config: { env: { ROUND: `${dice.below(1e9)}` } } }),
    () => serve.setTraffic("split", { plain: share, other: 1 - share }),
    () => serve.shadowTraffic("plain", "other", share),
  )();
}

async function kill(dice: Dice): Promise<void> {
  await later(dice.below(300));
  const [pid] = await instance.replicaPids(dice.of("plain", "many", "other", "front"));
  if (pid !== undefined) process.kill(pid, "SIGKILL");
}

const atRest = () =>
  waitFor("everything to be at rest", async () => {
    const { replicas, bridges } = await serve.status();
    return [...replicas, ...bridges].every(({ inFlight }) => inFlight === 0);
  });

/** A backend, once all of its replicas serve. */
const whole = (name: string) =>
  waitFor(`all replicas of ${name}`, async () => {
    const { replicas, ...settings } = await serve.getBackend(name);
    return replicas.length === settings.numReplicas && replicas.every(({ state }) => state === "serving") ? settings : null;
  });

/** Sees that as many requests run at once as a backend has places. */
async function everyPlaceIsFree(name: string, token: string): Promise<void> {
  const backend = await whole(name);
  const places = backend.numReplicas * backend.maxConcurrentQueries;
  const most = backend.acceptsBatches ? Math.min(places, (backend.maxBatchSize ?? 1) * backend.maxConcurrentBatches) : places;
  const all = Promise.all(Array.from({ length: most }, () => instance.text(`/${name}?do=meet&token=${token}`, { method: "POST" })));
  // Batches leave as they come, so that of those at least one is in each.
  const least = backend.acceptsBatches ? Math.min(most, backend.maxConcurrentBatches) : most;
  await waitFor(`${least} of ${most} in ${name}`, async () => (await linesOf("met")).filter((met) => met === token).length >= least);
  await writeFile(join(instance.root, `go-${token}`), "");
  expect(await all).toEqual(Array(most).fill(token));
}

test.each(SEEDS)("after a round of everything, by seed %i, everything is at rest", async (seed) => {
  const dice = new Dice(seed);
  const kills = dice.next() < 0.5;
  const all = Array.from({ length: REQUESTS }, (_, n) => ask(dice, `r${seed}n${n}x`));
  const [answers] = await Promise.all([
    Promise.all(all.map(send)),
    Promise.all([0, 1, 2, 3].map(() => talk(dice))),
    change(dice).then(() => change(dice)),
    kills ? kill(dice) : null,
  ]);
  const problems = all.flatMap((asked, n) => {
    const problem = problemOf(asked, answers[n] ?? { status: 0, text: null }, kills);
    return problem === null ? [] : [`${asked.method} ${asked.path} was ${problem}`];
  });
  await atRest();
  const ran = await linesOf("ran");
  for (const [n, { token, method, path }] of all.entries()) {
    const times = ran.filter((one) => one === token).length;
    // Only what is lost with its replica may run again, once, at each hop.
    const most = !kills || method === "POST" ? 1 : path.includes("&to=") ? 4 : 2;
    if (times > most) problems.push(`${method} ${path} ran ${times} times`);
    if (times === 0 && answers[n]?.status === 200) problems.push(`${method} ${path} was answered and did not run`);
  }
  expect(problems).toEqual([]);
  await Promise.all(["other", "front"].map(whole));
  await everyPlaceIsFree("plain", `p${seed}`);
  await everyPlaceIsFree("many", `m${seed}`);
  await atRest();
  await waitFor("no timer to be left", async () => (await serve.handle<typeof Restless>("plain").methods.timers()) === 0);
  expect(await bridges()).toEqual(bridgesAtFirst);
});

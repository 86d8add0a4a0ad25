// What a caller sees when something behind the route goes wrong: the right status, the limit by name, no secrets,
// and never a wait without end. Control calls that are refused stand in bad-input.test.ts.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { GATE_FILES, openGate } from "../support/gate.ts";
import { alive, problem, startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance({ files: GATE_FILES });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

test("a handler that throws gives 500 without its message to the caller, and with file and line to the operator", async () => {
  await serve.createBackend("throws", () => {
    throw new TypeError("the password is hunter2");
  });
  await serve.createEndpoint("throws", { backend: "throws", route: "/throws" });
  const response = await instance.fetch("/throws");
  expect(response.status).toBe(500);
  const body = await problem(response);
  expect(body).toMatchObject({ status: 500, code: "handler_error", requestId: response.headers.get("x-request-id") });
  expect(JSON.stringify(body) + JSON.stringify([...response.headers])).not.toMatch(/hunter2|TypeError|inline:|\.ts|\n\s+at /);
  const log = await waitFor("the exception in the log", async () => {
    const logs = join(instance.stateDir, "logs");
    const texts = await Promise.all((await readdir(logs)).map((name) => readFile(join(logs, name), "utf8")));
    return texts
      .join("\n")
      .split("\n")
      .find((line) => line.includes("hunter2"));
  });
  // Each record is one JSON object on one line.
  expect(JSON.parse(log)).toBeInstanceOf(Object);
  expect(log).toContain(String(body.requestId));
  expect((await instance.fetch("/throws")).status).toBe(500);
});

test("a handler that rejects later gives 500 as one that throws at once", async () => {
  await serve.createBackend("rejects", async () => {
    await new Promise((done) => setTimeout(done, 5));
    throw { secret: "hunter2" };
  });
  await serve.createEndpoint("rejects", { backend: "rejects", route: "/rejects" });
  const response = await instance.fetch("/rejects");
  expect(response.status).toBe(500);
  expect(JSON.stringify(await problem(response))).not.toContain("hunter2");
});

/** Eight requests at once to two replicas, of which one is killed when all eight have begun. */
async function killOneOfTwo(name: string, method: "GET" | "POST") {
  const begun = join(instance.root, name);
  await serve.createBackend({
    name,
    handler: async (request) => {
      if (request.url.endsWith("?warm")) return String(process.pid);
      const { appendFileSync, existsSync } = process.getBuiltinModule("node:fs");
      appendFileSync(process.env.BEGUN ?? "", `${process.pid}\n`);
      while (!existsSync(`${process.env.BEGUN}-go`)) await new Promise((done) => setTimeout(done, 10));
      return String(process.pid);
    },
    config: { numReplicas: 2, env: { BEGUN: begun } },
  });
  await serve.createEndpoint(name, { backend: name, route: `/${name}`, methods: [method] });
  const warm = new Set<string>();
  await waitFor("answers of both", async () => warm.add(await instance.text(`/${name}?warm`, { method })).size === 2);
  const answers = Promise.all(Array.from({ length: 8 }, () => instance.fetch(`/${name}`, { method })));
  const pids = await waitFor("the begin of all requests", async () => {
    const lines = (await readFile(begun, "utf8").catch(() => "")).split("\n").filter(Boolean);
    return lines.length >= 8 ? lines.map(Number) : null;
  });
  const [killed] = pids;
  if (killed === undefined) throw new Error("no replica");
  expect(new Set(pids).size).toBe(2);
  process.kill(killed, "SIGKILL");
  await waitFor("its end", () => !alive(killed));
  await writeFile(`${begun}-go`, "");
  return { killed, hit: pids.filter((pid) => pid === killed).length, responses: await answers };
}

test("GETs whose replica is killed are answered by another", async () => {
  const { killed, responses } = await killOneOfTwo("mortal-get", "GET");
  expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  for (const response of responses) expect(Number(await response.text())).not.toBe(killed);
});

test("POSTs whose replica is killed give 502 and say that they may have run; those of the other replica are served", async () => {
  const { killed, hit, responses } = await killOneOfTwo("mortal-post", "POST");
  const lost = responses.filter(({ status }) => status === 502);
  expect(lost).toHaveLength(hit);
  for (const response of lost) {
    expect(await problem(response)).toMatchObject({ code: "replica_lost", detail: expect.stringContaining("may have run") });
  }
  const served = responses.filter(({ status }) => status === 200);
  expect(served).toHaveLength(8 - hit);
  for (const response of served) expect(Number(await response.text())).not.toBe(killed);
});

test("a killed replica is replaced by a new one", async () => {
  await serve.createBackend("phoenix", () => String(process.pid));
  await serve.createEndpoint("phoenix", { backend: "phoenix", route: "/phoenix" });
  const before = Number(await instance.text("/phoenix"));
  process.kill(before, "SIGKILL");
  const after = await waitFor("a new replica", async () => {
    const response = await instance.fetch("/phoenix");
    const text = await response.text();
    return response.status === 200 && Number(text) !== before ? Number(text) : null;
  });
  expect(await instance.replicaPids("phoenix")).toEqual([after]);
  expect((await serve.getBackend("phoenix")).restarts).toBe(1);
});

test("a backend without a replica gives 503 with Retry-After", async () => {
  class DiesOnReturn {
    constructor(marker: string) {
      // The first process of this backend comes up; each later one ends while it starts.
      const { existsSync, writeFileSync } = process.getBuiltinModule("node:fs");
      if (existsSync(marker)) process.exit(3);
      writeFileSync(marker, "");
    }
    handle(): string {
      return String(process.pid);
    }
  }
  await serve.createBackend("gone", DiesOnReturn, join(instance.root, "started-once"));
  await serve.createEndpoint("gone", { backend: "gone", route: "/gone" });
  process.kill(Number(await instance.text("/gone")), "SIGKILL");
  const response = await waitFor("a refusal", async () => {
    const each = await instance.fetch("/gone");
    return each.status === 503 ? each : null;
  });
  expect(await problem(response)).toMatchObject({ status: 503, code: "no_replica" });
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  await serve.deleteEndpoint("gone");
  await serve.deleteBackend("gone", { force: true });
});

test("a handler that is too slow gives 504 that names the limit, and its signal aborts", async () => {
  await serve.createBackend("slow", (request: HandlerRequest) => {
    if (new URL(request.url).searchParams.has("asked")) return { aborted: Reflect.get(globalThis, "aborted") ?? 0 };
    return new Promise((done) => {
      request.signal.addEventListener("abort", () => {
        Reflect.set(globalThis, "aborted", (Reflect.get(globalThis, "aborted") ?? 0) + 1);
        done("too late");
      });
    });
  });
  await serve.createEndpoint("slow", { backend: "slow", route: "/slow", requestTimeoutMs: 200 });
  const response = await instance.fetch("/slow");
  expect(response.status).toBe(504);
  expect(await problem(response)).toMatchObject({ code: "deadline_exceeded", limit: "requestTimeoutMs" });
  await waitFor("the abort", async () => (await instance.text("/slow?asked")) === '{"aborted":1}');
});

test("a caller who leaves aborts the handler's signal", async () => {
  await serve.createBackend("left", (request: HandlerRequest) => {
    if (new URL(request.url).searchParams.has("asked"))
      return { began: Reflect.get(globalThis, "began"), aborted: Reflect.get(globalThis, "aborted") };
    Reflect.set(globalThis, "began", true);
    return new Promise((done) => {
      request.signal.addEventListener("abort", () => {
        Reflect.set(globalThis, "aborted", true);
        done("");
      });
    });
  });
  await serve.createEndpoint("left", { backend: "left", route: "/left" });
  const leaving = new AbortController();
  const answer = instance.fetch("/left", { signal: leaving.signal }).catch((error: unknown) => error);
  await waitFor("the handler's begin", async () => (await instance.text("/left?asked")).includes('"began":true'));
  leaving.abort();
  expect(await answer).toMatchObject({ name: "AbortError" });
  await waitFor("the abort", async () => (await instance.text("/left?asked")).includes('"aborted":true'));
});

test("more requests than run and wait give 503 with Retry-After that names the limit, and the rest are served", async () => {
  await serve.createBackend({ name: "crowded", handler: "./gate.ts#gate", config: { maxConcurrentQueries: 1, maxQueuedRequests: 2 } });
  await serve.createEndpoint("crowded", { backend: "crowded", route: "/crowded" });
  const refused: Response[] = [];
  const answers = Array.from({ length: 10 }, async () => {
    const response = await instance.fetch("/crowded?gate=crowd");
    if (response.status === 503) refused.push(response);
    return response.status;
  });
  await waitFor("all refusals", () => refused.length === 7);
  await openGate(instance, "crowd");
  expect((await Promise.all(answers)).filter((status) => status === 200)).toHaveLength(3);
  expect(refused).toHaveLength(7);
  for (const response of refused) {
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await problem(response)).toMatchObject({ code: "queue_full", limit: "maxQueuedRequests" });
  }
  expect(await instance.text("/crowded?gate=crowd")).toBe("passed crowd");
});

test("no more requests than maxConcurrentQueries run in a replica at the same time", async () => {
  class Counting {
    now = 0;
    most = 0;
    async handle(): Promise<unknown> {
      this.now += 1;
      this.most = Math.max(this.most, this.now);
      await new Promise((done) => setTimeout(done, 20));
      this.now -= 1;
      return { most: this.most };
    }
  }
  await serve.createBackend({ name: "capped", handler: Counting, config: { maxConcurrentQueries: 3 } });
  await serve.createEndpoint("capped", { backend: "capped", route: "/capped" });
  await Promise.all(Array.from({ length: 30 }, () => instance.text("/capped")));
  expect(await (await instance.fetch("/capped")).json()).toEqual({ most: 3 });
});

test("a handle gets the same faults as errors with a code", async () => {
  await expect(serve.handle("throws").send()).rejects.toMatchObject({
    code: "handler_error",
    message: expect.not.stringContaining("hunter2"),
  });
  await expect(serve.handle("slow").send()).rejects.toMatchObject({ code: "deadline_exceeded", retryable: true });
  await expect(serve.handle("nowhere").send()).rejects.toMatchObject({ code: "endpoint_not_found", details: { endpoint: "nowhere" } });
});

// Backends as an operator sees them: created, repeated, changed, given user config, deleted. Real replica processes.
// What goes wrong in a handler's constructor stands in bad-input.test.ts.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { GATE_FILES, entered, openGate } from "../support/gate.ts";
import { type TestInstance, alive, startInstance, waitFor } from "../support/instance.ts";

let instance: TestInstance;
beforeAll(async () => {
  instance = await startInstance({
    files: {
      ...GATE_FILES,
      "handlers.ts": `
        export const named = (): string => "from a module";
        export default (): string => "from the default export";
      `,
    },
  });
});
afterAll(async () => {
  await instance?.[Symbol.asyncDispose]();
});

const pid = (): string => String(process.pid);

/** Opens an endpoint for a backend at "/<name>". */
const open = (name: string, backend = name) => instance.serve.createEndpoint(name, { backend, route: `/${name}` });

test("a create returns when all replicas are constructed and registered", async () => {
  const backend = await instance.serve.createBackend({ name: "three", handler: pid, config: { numReplicas: 3 } });
  expect(backend).toMatchObject({ state: "ready", numReplicas: 3 });
  expect(backend.replicas.map(({ state }) => state)).toEqual(["serving", "serving", "serving"]);
  const pids = await instance.replicaPids("three");
  expect(new Set(pids).size).toBe(3);
  expect(pids.every(alive)).toBe(true);
});

test("replicas start in parallel, each constructor run in a process of its own", async () => {
  class Parallel {
    startedAtMs = Date.now();
    readyAtMs = 0;
    constructor() {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
      this.readyAtMs = Date.now();
    }
    handle() {
      return { pid: process.pid, startedAtMs: this.startedAtMs, readyAtMs: this.readyAtMs };
    }
  }
  await instance.serve.createBackend({ name: "parallel", handler: Parallel, config: { numReplicas: 2 } });
  await open("parallel");
  const seen = new Map<number, { startedAtMs: number; readyAtMs: number }>();
  await waitFor("an answer of each replica", async () => {
    const one = (await (await instance.fetch("/parallel")).json()) as { pid: number; startedAtMs: number; readyAtMs: number };
    seen.set(one.pid, one);
    return seen.size === 2;
  });
  const [a, b] = [...seen.values()];
  expect(Math.max(a?.startedAtMs ?? 0, b?.startedAtMs ?? 0)).toBeLessThan(Math.min(a?.readyAtMs ?? 0, b?.readyAtMs ?? 0));
});

test("a class gets its constructor arguments and keeps its state between requests", async () => {
  class Counter {
    count: number;
    step: number;
    constructor(start: number, options: { step: number }) {
      this.count = start;
      this.step = options.step;
    }
    handle() {
      this.count += this.step;
      return String(this.count);
    }
  }
  await instance.serve.createBackend("stateful", Counter, 40, { step: 2 });
  await open("stateful");
  expect(await instance.text("/stateful")).toBe("42");
  expect(await instance.text("/stateful")).toBe("44");
});

test("a handler can be an export of a module, named or default", async () => {
  await instance.serve.createBackend("module-named", "./handlers.ts#named");
  await instance.serve.createBackend("module-default", "./handlers.ts");
  await open("module-named");
  await open("module-default");
  expect(await instance.text("/module-named")).toBe("from a module");
  expect(await instance.text("/module-default")).toBe("from the default export");
});

test("constructor arguments with a function are refused", async () => {
  await expect(instance.serve.createBackend("with-args", () => "x", 1)).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "args" },
  });
  expect(await instance.serve.listBackends()).not.toHaveProperty("with-args");
});

test.each([
  ["a number", 7],
  ["an object", {}],
  ["null", null],
  ["a text that names no module", "hello"],
])("a handler that is neither function nor class is refused: %s", async (_, handler) => {
  // What a caller in JavaScript could give, whatever the types say.
  await expect(instance.serve.createBackend("neither", handler as never)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining("neither a function nor a class"),
  });
});

test("the same create again gives the same answer and starts nothing", async () => {
  const ask = () => instance.serve.createBackend({ name: "again", handler: () => "again", config: { numReplicas: 2 } });
  const first = await ask();
  const pids = await instance.replicaPids("again");
  const second = await ask();
  expect(second.revision).toBe(first.revision);
  expect(await instance.replicaPids("again")).toEqual(pids);
});

test("a different create under a name that exists is refused and changes nothing", async () => {
  await instance.serve.createBackend("taken", () => "first");
  await open("taken");
  await expect(instance.serve.createBackend("taken", () => "second")).rejects.toMatchObject({
    code: "backend_exists",
    retryable: false,
    message: expect.stringContaining('"taken"'),
  });
  expect(await instance.text("/taken")).toBe("first");
});

test("an update of limits is partial and the replicas keep their processes", async () => {
  await instance.serve.createBackend({ name: "limits", handler: pid, config: { numReplicas: 2, maxQueuedRequests: 5 } });
  const before = await instance.replicaPids("limits");
  const after = await instance.serve.updateBackend("limits", { config: { maxConcurrentQueries: 3 } });
  expect(after).toMatchObject({ maxConcurrentQueries: 3, maxQueuedRequests: 5, numReplicas: 2 });
  expect(await instance.replicaPids("limits")).toEqual(before);
});

test("an update of the number of replicas adds and takes away, and keeps the others", async () => {
  await instance.serve.createBackend("scaled", pid);
  const [first] = await instance.replicaPids("scaled");
  await instance.serve.updateBackend("scaled", { config: { numReplicas: 3 } });
  const three = await instance.replicaPids("scaled");
  expect(three).toHaveLength(3);
  expect(three).toContain(first);
  await instance.serve.updateBackend("scaled", { config: { numReplicas: 1 } });
  await waitFor("one replica", async () => (await instance.serve.getBackend("scaled")).replicas.length === 1);
  const left = await instance.replicaPids("scaled");
  expect(left).toHaveLength(1);
  expect(three).toContain(left[0]);
});

test("an update of the handler serves the new version and ends the old processes", async () => {
  await instance.serve.createBackend("renewed", () => "old");
  await open("renewed");
  const before = await instance.replicaPids("renewed");
  await instance.serve.updateBackend("renewed", { handler: () => "new" });
  expect(await instance.text("/renewed")).toBe("new");
  await waitFor("the end of the old process", () => !before.some(alive));
});

test("an update whose new version cannot start leaves the old one in service", async () => {
  class Broken {
    constructor() {
      throw new Error("the model is missing");
    }
    handle() {
      return "never";
    }
  }
  await instance.serve.createBackend("guarded", () => "old");
  await open("guarded");
  const before = await instance.replicaPids("guarded");
  await expect(instance.serve.updateBackend("guarded", { handler: Broken })).rejects.toMatchObject({
    code: "constructor_failed",
    message: expect.stringContaining("the model is missing"),
  });
  expect(await instance.text("/guarded")).toBe("old");
  expect(await instance.replicaPids("guarded")).toEqual(before);
});

test("an update of a backend that does not exist is refused", async () => {
  await expect(instance.serve.updateBackend("nobody", { config: { numReplicas: 2 } })).rejects.toMatchObject({ code: "backend_not_found" });
});

test("the environment of a backend reaches its handler, and no other of the controller's does", async () => {
  await instance.serve.createBackend({
    name: "environment",
    handler: () => ({
      level: process.env.LEVEL,
      token: process.env.HEADGATE_TOKEN ?? null,
      names: Object.keys(process.env).filter((name) => name.startsWith("JEST")),
    }),
    config: { env: { LEVEL: "debug" } },
  });
  await open("environment");
  expect(await (await instance.fetch("/environment")).json()).toEqual({ level: "debug", token: null, names: [] });
});

class Greeter {
  greeting = "unset";
  reconfigure(config: { greeting: string }) {
    if (config.greeting === "forbidden") throw new Error("this greeting is forbidden");
    this.greeting = config.greeting;
  }
  handle() {
    return `${this.greeting} ${process.pid}`;
  }
}

test("user config reaches reconfigure at start and on every change, without a restart", async () => {
  await instance.serve.createBackend({ name: "greeter", handler: Greeter, config: { userConfig: { greeting: "hello" } } });
  await open("greeter");
  const before = await instance.text("/greeter");
  expect(before).toMatch(/^hello \d+$/);
  await instance.serve.updateBackend("greeter", { config: { userConfig: { greeting: "bonjour" } } });
  expect(await instance.text("/greeter")).toBe(before.replace("hello", "bonjour"));
});

test("a change of user config reaches every replica", async () => {
  await instance.serve.createBackend({ name: "greeters", handler: Greeter, config: { numReplicas: 2, userConfig: { greeting: "one" } } });
  await open("greeters");
  await instance.serve.updateBackend("greeters", { config: { userConfig: { greeting: "two" } } });
  const answers = await Promise.all(Array.from({ length: 40 }, () => instance.text("/greeters")));
  expect(new Set(answers.map((text) => text.split(" ")[0]))).toEqual(new Set(["two"]));
});

test("user config that reconfigure refuses is told with the handler's words, and the old one stays", async () => {
  await instance.serve.createBackend({ name: "picky", handler: Greeter, config: { userConfig: { greeting: "hello" } } });
  await open("picky");
  await expect(instance.serve.updateBackend("picky", { config: { userConfig: { greeting: "forbidden" } } })).rejects.toMatchObject({
    code: "reconfigure_failed",
    message: expect.stringContaining("this greeting is forbidden"),
  });
  expect(await instance.text("/picky")).toMatch(/^hello /);
});

test("user config is refused for a function", async () => {
  await expect(instance.serve.createBackend({ name: "plain", handler: () => "x", config: { userConfig: {} } })).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "userConfig" },
  });
});

test("a backend in use is not deleted, and the refusal names every endpoint that uses it", async () => {
  await instance.serve.createBackend("used", () => "used");
  await instance.serve.createBackend("other", () => "other");
  await open("by-traffic", "used");
  await open("by-shadow", "other");
  await instance.serve.shadowTraffic("by-shadow", "used", 0.5);
  await expect(instance.serve.deleteBackend("used")).rejects.toMatchObject({
    code: "backend_in_use",
    message: expect.stringMatching(/"by-shadow".*"by-traffic"/),
    details: { endpoints: "by-shadow,by-traffic" },
  });
  await expect(instance.serve.deleteBackend("used", { force: true })).rejects.toMatchObject({ code: "backend_in_use" });
  expect(await instance.text("/by-traffic")).toBe("used");
  await instance.serve.shadowTraffic("by-shadow", "used", 0);
  await instance.serve.deleteEndpoint("by-traffic");
  const pids = await instance.replicaPids("used");
  expect(await instance.serve.deleteBackend("used")).toBe(true);
  expect(pids.some(alive)).toBe(false);
});

test("deleting a backend that does not exist is fine", async () => {
  expect(await instance.serve.deleteBackend("never-there")).toBe(false);
});

test("deleting a backend lets its requests finish first", async () => {
  await instance.serve.createBackend("drained", "./gate.ts#gate");
  await open("drained");
  const answer = instance.text("/drained?gate=drained");
  await entered(instance, "drained");
  await instance.serve.deleteEndpoint("drained");
  let deleted = false;
  const deleting = instance.serve.deleteBackend("drained").then(() => {
    deleted = true;
  });
  await waitFor("the backend to be gone from the list", async () => !("drained" in (await instance.serve.listBackends())));
  expect(deleted).toBe(false);
  await openGate(instance, "drained");
  await deleting;
  expect(await answer).toBe("passed drained");
});

test("deleting by force does not wait for requests", async () => {
  await instance.serve.createBackend("forced", "./gate.ts#gate");
  await open("forced");
  const answer = instance.fetch("/forced?gate=forced");
  await entered(instance, "forced");
  await instance.serve.deleteEndpoint("forced");
  const pids = await instance.replicaPids("forced");
  await instance.serve.deleteBackend("forced", { force: true });
  expect(pids.some(alive)).toBe(false);
  expect([502, 503]).toContain((await answer).status);
});

test("names that JavaScript knows are plain names", async () => {
  for (const name of ["constructor", "toString", "hasOwnProperty"]) {
    await instance.serve.createBackend(name, () => "plain");
    expect((await instance.serve.getBackend(name)).name).toBe(name);
    await instance.serve.deleteBackend(name);
  }
});

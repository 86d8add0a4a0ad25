// Classes with state: one object a replica, its declared methods and no others, and reconfigure().

import { afterAll, expect, test } from "@jest/globals";
import { startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance({
  files: {
    "counter.ts": `
      class Base { inherited(): string { return "inherited"; } }
      export class Counter extends Base {
        #count: number;
        step = 1;
        constructor(start: number) { super(); this.#count = start; }
        reconfigure(config: { step: number }): void {
          if (config.step < 0) throw new RangeError("step must not be negative");
          this.step = config.step;
        }
        handle(): unknown { return { count: this.#count, pid: process.pid }; }
        add(): unknown { this.#count += this.step; return { count: this.#count, pid: process.pid }; }
        hidden(): string { return "hidden"; }
      }
    `,
  },
});
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend({
  name: "counter",
  handler: "./counter.ts#Counter",
  args: [10],
  config: { methods: ["handle", "add"], userConfig: { step: 5 } },
});
await serve.createEndpoint("counter", { backend: "counter", route: "/counter" });
const call = async (method?: string) => {
  const response = await serve.handle("counter", method === undefined ? {} : { method }).send();
  // The class above answers so.
  return (await response.json()) as { readonly count: number; readonly pid: number };
};

test("an object lives as long as its replica and keeps its state between requests", async () => {
  expect((await call()).count).toBe(10);
  expect((await call("add")).count).toBe(15);
  expect((await call("add")).count).toBe(20);
  expect(JSON.parse(await instance.text("/counter"))).toMatchObject({ count: 20 });
});

test.each(["hidden", "inherited", "constructor", "reconfigure", "toString", "__proto__", "hasOwnProperty", "missing"])(
  "%s is not a declared method: it cannot be called",
  async (method) => {
    await expect(serve.handle("counter", { method }).send()).rejects.toMatchObject({ code: "method_not_declared" });
    expect((await call()).count).toBe(20);
  },
);

test("a method's name that is longer than any message is refused before it is sent", async () => {
  const method = "m".repeat(5 * 1024 * 1024);
  await expect(serve.handle("counter", { method }).send()).rejects.toMatchObject({ code: "method_not_declared" });
  expect((await call()).count).toBe(20);
});

test.each(["constructor", "reconfigure"])("%s cannot be declared as a method", async (method) => {
  const refused = serve.createBackend({ name: "bad", handler: "./counter.ts#Counter", args: [1], config: { methods: [method] } });
  await expect(refused).rejects.toMatchObject({ code: "invalid_argument", details: { field: "methods" } });
  expect(Object.keys(await serve.listBackends())).not.toContain("bad");
});

test.each(["inherited", "absent"])("%s cannot be declared as a method, as the class does not define it itself", async (method) => {
  const refused = serve.createBackend({ name: "bad", handler: "./counter.ts#Counter", args: [1], config: { methods: [method] } });
  await expect(refused).rejects.toMatchObject({ code: "export_not_found", message: expect.stringContaining(method) });
  expect(Object.keys(await serve.listBackends())).not.toContain("bad");
});

test("a new userConfig reaches the object by reconfigure(), without a restart and without loss of state", async () => {
  const before = await call();
  await serve.updateBackend("counter", { config: { userConfig: { step: 100 } } });
  const after = await waitFor("the new step", async () => {
    const answer = await call("add");
    return answer.count - before.count >= 100 ? answer : null;
  });
  expect(after.pid).toBe(before.pid);
  expect(after.count).toBeGreaterThan(20);
});

test("all replicas get the new userConfig", async () => {
  class Told {
    told: unknown = null;
    reconfigure(config: unknown): void {
      this.told = config;
    }
    handle(): unknown {
      return { pid: process.pid, told: this.told };
    }
  }
  await serve.createBackend({ name: "told", handler: Told, config: { numReplicas: 3, userConfig: "first" } });
  await serve.createEndpoint("told", { backend: "told", route: "/told" });
  const ask = async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, async () => (await instance.fetch("/told")).json()));
    // The class above answers so.
    return new Map((answers as { pid: number; told: unknown }[]).map(({ pid, told }) => [pid, told]));
  };
  const pids = await instance.replicaPids("told");
  expect([...(await ask()).values()].every((told) => told === "first")).toBe(true);
  await serve.updateBackend("told", { config: { userConfig: { threshold: 0.5 } } });
  const seen = new Map<number, unknown>();
  await waitFor("all replicas", async () => {
    for (const [pid, told] of await ask()) seen.set(pid, told);
    return seen.size === 3;
  });
  expect([...seen.values()]).toEqual(Array.from({ length: 3 }, () => ({ threshold: 0.5 })));
  expect(await instance.replicaPids("told")).toEqual(pids);
});

test("a userConfig that reconfigure() throws at is reported with its message, and requests go on", async () => {
  const refused = serve.updateBackend("counter", { config: { userConfig: { step: -1 } } });
  await expect(refused).rejects.toMatchObject({
    code: "reconfigure_failed",
    message: expect.stringContaining("step must not be negative"),
  });
  expect((await instance.fetch("/counter")).status).toBe(200);
});

test("a function has neither userConfig nor methods", async () => {
  for (const config of [{ userConfig: 1 }, { methods: ["other"] }]) {
    await expect(serve.createBackend({ name: "plain", handler: () => "x", config })).rejects.toMatchObject({ code: "invalid_argument" });
  }
  expect(Object.keys(await serve.listBackends())).not.toContain("plain");
});

test("a class without reconfigure() refuses a userConfig", async () => {
  class Plain {
    handle(): string {
      return "x";
    }
  }
  await expect(serve.createBackend({ name: "plain", handler: Plain, config: { userConfig: 1 } })).rejects.toMatchObject({
    message: expect.stringContaining("reconfigure"),
  });
  expect(Object.keys(await serve.listBackends())).not.toContain("plain");
});

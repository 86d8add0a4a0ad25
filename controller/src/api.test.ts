// What an operator sees of the control plane, through the real server and real sockets; replicas and bridges are fakes.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type TestInstance, startTestInstance } from "./test-instance.ts";

let instance: TestInstance;
beforeEach(async () => {
  instance = await startTestInstance({ constructorTimeoutMs: 1_000 });
});
afterEach(async () => {
  await instance[Symbol.asyncDispose]();
  expect(instance.unexpected).toEqual([]);
});

const handler = (source: string) => ({ kind: { $case: "inline" as const, value: { source, shape: 2 as const, acceptsBatches: false } } });
const create = (name: string, source = "class {}", config: object = {}, requestId = "") =>
  instance.client.createBackend({
    requestId,
    spec: { name, handler: handler(source), args: [], config: { env: {}, methods: [], ...config } },
  });
const endpoint = (name: string, backend: string, route = `/${name}`) =>
  instance.client.createEndpoint({ spec: { name, route, methods: [], traffic: [{ backend, weight: 1 }], shadows: [] } });
const tables = () => instance.launcher.running("bridge-").map((bridge) => bridge.table);
const routed = (backend: string) =>
  tables().map((table) =>
    table?.backends
      .find((one) => one.name === backend)
      ?.replicas.map((replica) => replica.id)
      .sort(),
  );
const running = (backend: string) =>
  instance.launcher
    .running(`${backend}-`)
    .map((process) => process.id)
    .sort();
const soon = async (reached: () => boolean) => {
  for (let i = 0; i < 1_000 && !reached(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(reached()).toBe(true);
};

describe("creating a backend", () => {
  test("returns when all its replicas serve", async () => {
    const { backend } = await create("b", "class {}", { numReplicas: 3 });
    expect(backend?.state).toBe(2);
    expect(backend?.replicas.map((replica) => replica.state)).toEqual([3, 3, 3]);
    expect(backend?.spec?.config).toMatchObject({ numReplicas: 3, maxConcurrentQueries: 100, drainTimeoutMs: 30_000 });
  });

  test("again with the same content gives the same answer, with other content it is refused", async () => {
    const first = await create("b");
    expect((await create("b")).backend?.replicas[0]?.id).toBe(first.backend?.replicas[0]?.id);
    await expect(create("b", "class A {}")).rejects.toMatchObject({ code: "backend_exists" });
  });

  test.each([
    ["throws", "constructor_failed", { file: "app.ts", line: "7", message: "boom" }],
    ["exits", "replica_exited", { backend: "b" }],
    ["hangs", "constructor_timeout", { limit: "constructorTimeoutMs" }],
  ])("whose handler %s is refused with what happened, and leaves nothing", async (source, code, details) => {
    await expect(create("b", `class { ${source} }`, { numReplicas: 2 })).rejects.toMatchObject({ code, details });
    await soon(() => running("b").length === 0);
    expect((await instance.client.listBackends({})).backends).toEqual([]);
    await expect(create("b")).resolves.toBeDefined();
  });

  test.each([
    ["./nothing.ts", "module_not_found"],
    ["../../../../../../etc/x.ts", "module_not_found"],
    ["/srv/elsewhere/other.js", "module_not_found"],
  ])("whose module is %s starts no process", async (path, code) => {
    const spec = {
      name: "b",
      handler: { kind: { $case: "module" as const, value: { path, exportName: "f" } } },
      args: [],
      config: { env: {}, methods: [] },
    };
    await expect(instance.client.createBackend({ spec })).rejects.toMatchObject({ code });
    expect(running("b")).toEqual([]);
  });
});

describe("request ids", () => {
  test("give the first answer again", async () => {
    const first = await create("b", "class {}", {}, "id-1");
    await instance.client.deleteBackend({ name: "b", force: true });
    expect((await create("b", "class {}", {}, "id-1")).backend?.replicas[0]?.id).toBe(first.backend?.replicas[0]?.id);
  });

  test("are refused for another request", async () => {
    await create("b", "class {}", {}, "id-1");
    await expect(create("c", "class {}", {}, "id-1")).rejects.toMatchObject({ code: "request_id_reused" });
    await expect(instance.client.deleteBackend({ name: "b", requestId: "id-1" })).rejects.toMatchObject({ code: "request_id_reused" });
  });
});

describe("an endpoint", () => {
  test("stands in every bridge's table when its create returns", async () => {
    await create("b", "class {}", { numReplicas: 2 });
    await endpoint("e", "b");
    expect(tables().map((table) => table?.endpoints.map((one) => one.name))).toEqual([["e"], ["e"]]);
    expect(routed("b")).toEqual([running("b"), running("b")]);
  });

  test("keeps its backend from being deleted", async () => {
    await create("b");
    await endpoint("e", "b");
    await expect(instance.client.deleteBackend({ name: "b" })).rejects.toMatchObject({
      code: "backend_in_use",
      details: { endpoints: "e" },
    });
    expect(await instance.client.deleteEndpoint({ name: "e" })).toEqual({ existed: true });
    expect(await instance.client.deleteEndpoint({ name: "e" })).toEqual({ existed: false });
    expect(await instance.client.deleteBackend({ name: "b" })).toEqual({ existed: true });
    expect(running("b")).toEqual([]);
  });

  test("changes traffic, shadows, route and limits", async () => {
    await create("b");
    await create("c", "class C {}");
    await endpoint("e", "b");
    await instance.client.setTraffic({
      endpoint: "e",
      traffic: [
        { backend: "c", weight: 0.25 },
        { backend: "b", weight: 0.75 },
      ],
    });
    await instance.client.setShadow({ endpoint: "e", backend: "c", proportion: 0.5 });
    const { endpoint: changed } = await instance.client.updateEndpoint({ name: "e", route: "", methods: ["post"], requestTimeoutMs: 5 });
    expect(changed?.spec).toMatchObject({
      route: "",
      methods: ["POST"],
      requestTimeoutMs: 5,
      traffic: [
        { backend: "b", weight: 0.75 },
        { backend: "c", weight: 0.25 },
      ],
      shadows: [{ backend: "c", proportion: 0.5 }],
    });
    await expect(instance.client.setTraffic({ endpoint: "e", traffic: [{ backend: "b", weight: 0.5 }] })).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });

  test("waits for no bridge that has died", async () => {
    await create("b");
    instance.launcher.running("bridge-")[0]?.crash();
    await endpoint("e", "b");
    await soon(() => instance.bridges.ready);
  });

  test("waits for a bridge that has not acknowledged", async () => {
    await create("b");
    instance.launcher.acknowledging = false;
    let done = false;
    const creating = endpoint("e", "b").then(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(done).toBe(false);
    instance.launcher.acknowledging = true;
    for (const bridge of instance.launcher.running("bridge-")) bridge.crash();
    await creating;
  });
});

describe("updating a backend", () => {
  test("changes limits and user config without new processes", async () => {
    await create("b", "class {}", { numReplicas: 2 });
    const before = running("b");
    const { backend } = await instance.client.updateBackend({
      name: "b",
      config: { maxConcurrentQueries: 5, userConfig: { a: 1 }, env: {}, methods: [] },
      configFields: [],
    });
    expect(running("b")).toEqual(before);
    expect(backend).toMatchObject({
      generation: 1,
      state: 2,
      spec: { config: { maxConcurrentQueries: 5, userConfig: { a: 1 }, numReplicas: 2 } },
    });
  });

  test("replaces every replica by one of the new version", async () => {
    await create("b", "class {}", { numReplicas: 3 });
    await endpoint("e", "b");
    const before = running("b");
    const { backend } = await instance.client.updateBackend({ name: "b", handler: handler("class Next {}"), configFields: [] });
    expect(backend?.generation).toBe(2);
    await soon(() => running("b").length === 3);
    expect(running("b").some((id) => before.includes(id))).toBe(false);
    expect(routed("b")).toEqual([running("b"), running("b")]);
  });

  test("that cannot be constructed is taken back, with the old replicas untouched", async () => {
    await create("b", "class {}", { numReplicas: 2 });
    await endpoint("e", "b");
    const before = running("b");
    await expect(
      instance.client.updateBackend({ name: "b", handler: handler("class { throws }"), configFields: [] }),
    ).rejects.toMatchObject({
      code: "constructor_failed",
      message: expect.stringContaining("app.ts:7"),
    });
    await soon(() => running("b").length === 2);
    expect(running("b")).toEqual(before);
    const { backend } = await instance.client.getBackend({ name: "b" });
    expect(backend).toMatchObject({ state: 2, generation: 1, lastError: { message: "boom" } });
  });

  test("whose user config is refused by the handler is taken back", async () => {
    await create("b");
    const config = (userConfig: unknown) => ({ name: "b", config: { userConfig, env: {}, methods: [] }, configFields: [] });
    await instance.client.updateBackend(config({ good: 1 }));
    await expect(instance.client.updateBackend(config({ bad: 1 }))).rejects.toMatchObject({
      code: "reconfigure_failed",
      details: { file: "app.ts" },
    });
    expect((await instance.client.getBackend({ name: "b" })).backend?.spec?.config?.userConfig).toEqual({ good: 1 });
  });

  test("scales up and down", async () => {
    await create("b");
    const scale = (numReplicas: number) =>
      instance.client.updateBackend({ name: "b", config: { numReplicas, env: {}, methods: [] }, configFields: [] });
    await scale(4);
    expect(running("b")).toHaveLength(4);
    await scale(1);
    await soon(() => running("b").length === 1);
  });
});

test("a replica that crashes is replaced, and counted", async () => {
  await create("b", "class {}", { numReplicas: 2 });
  await endpoint("e", "b");
  instance.launcher.running("b-")[0]?.crash();
  await soon(() => running("b").length === 2);
  await soon(() => routed("b").every((ids) => ids?.length === 2));
  expect((await instance.client.getBackend({ name: "b" })).backend).toMatchObject({ restarts: 1 });
});

test("a replica that does not drain is ended after its drain time, and by force at once", async () => {
  await create("slow", "class { 'ignores-drain' }", { drainTimeoutMs: 150 });
  const started = Date.now();
  await instance.client.deleteBackend({ name: "slow" });
  expect(Date.now() - started).toBeGreaterThanOrEqual(145);
  await create("forced", "class { 'ignores-drain' }");
  expect(await instance.client.deleteBackend({ name: "forced", force: true })).toEqual({ existed: true });
});

test("logs come by backend, with their last lines first", async () => {
  await create("b");
  const [id] = running("b");
  writeFileSync(join(instance.logDir, `${id}.log`), "one\ntwo\nthree\n");
  const lines: string[] = [];
  for await (const { source, line } of instance.client.streamLogs({ source: "b", follow: false, tailLines: 2 }))
    lines.push(`${source}: ${line}`);
  expect(lines).toEqual([`${id}: two`, `${id}: three`]);
  const none = instance.client.streamLogs({ source: "nobody", follow: false, tailLines: 1 });
  await expect(none[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "source_not_found" });
});

test("shutdown ends bridges and replicas and leaves the desired state", async () => {
  await create("b", "class {}", { numReplicas: 2 });
  await instance.client.shutdown({ force: false });
  expect(instance.launcher.processes.filter((process) => process.running)).toEqual([]);
  expect(instance.cluster.desired.backends.has("b")).toBe(true);
});

test("what does not exist is not found", async () => {
  await expect(instance.client.getBackend({ name: "none" })).rejects.toMatchObject({ code: "backend_not_found" });
  await expect(instance.client.getEndpoint({ name: "none" })).rejects.toMatchObject({ code: "endpoint_not_found" });
  await expect(instance.client.updateBackend({ name: "none", configFields: [] })).rejects.toMatchObject({ code: "backend_not_found" });
  await expect(endpoint("e", "none")).rejects.toMatchObject({ code: "backend_not_found" });
  expect(await instance.client.deleteBackend({ name: "none" })).toEqual({ existed: false });
});

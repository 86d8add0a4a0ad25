// Endpoints as an operator sees them: created, refused, changed, deleted. Traffic over several backends stands in
// traffic.test.ts; how paths find their endpoint, in routing.test.ts.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type TestInstance, problem, startInstance } from "../support/instance.ts";

let instance: TestInstance;
beforeAll(async () => {
  instance = await startInstance({ bridges: 2 });
  await instance.serve.createBackend("one", (request: Request) => `one ${request.method}`);
});
afterAll(async () => {
  await instance?.[Symbol.asyncDispose]();
});

const status = async (path: string, method = "GET") => (await instance.fetch(path, { method })).status;

test("a create returns when every bridge serves it", async () => {
  await instance.serve.createEndpoint("everywhere", { backend: "one", route: "/everywhere" });
  // Connections of their own, so that the requests reach both bridges.
  const answers = await Promise.all(Array.from({ length: 40 }, () => instance.fetch("/everywhere", { headers: { connection: "close" } })));
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
});

test("methods are GET where none are given, and upper-cased where they are", async () => {
  await instance.serve.createEndpoint("default-methods", { backend: "one", route: "/default-methods" });
  await instance.serve.createEndpoint("lower", { backend: "one", route: "/lower", methods: ["get", "post"] });
  expect(await instance.serve.listEndpoints()).toMatchObject({
    "default-methods": { route: "/default-methods", methods: ["GET"], traffic: { one: 1 } },
    lower: { methods: ["GET", "POST"] },
  });
  expect(await status("/default-methods", "POST")).toBe(405);
  expect(await instance.text("/lower", { method: "POST" })).toBe("one POST");
});

test("a backend is required", async () => {
  await expect(instance.serve.createEndpoint("without", { route: "/without" })).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "backend" },
  });
});

test("the backend must exist, and a refused create leaves nothing behind", async () => {
  await expect(instance.serve.createEndpoint("orphan", { backend: "nobody", route: "/orphan" })).rejects.toMatchObject({
    code: "backend_not_found",
    message: expect.stringContaining('"nobody"'),
  });
  expect(await instance.serve.listEndpoints()).not.toHaveProperty("orphan");
  expect(await status("/orphan")).toBe(404);
  await instance.serve.createEndpoint("orphan", { backend: "one", route: "/orphan" });
  expect(await status("/orphan")).toBe(200);
});

test("the same create again gives the same answer", async () => {
  const ask = () => instance.serve.createEndpoint("again", { backend: "one", route: "/again" });
  expect(await ask()).toEqual(await ask());
});

test("a name that is taken is refused and changes nothing", async () => {
  await instance.serve.createEndpoint("named", { backend: "one", route: "/named" });
  await expect(instance.serve.createEndpoint("named", { backend: "one", route: "/named-anew" })).rejects.toMatchObject({
    code: "endpoint_exists",
    retryable: false,
  });
  expect(await status("/named")).toBe(200);
  expect(await status("/named-anew")).toBe(404);
});

test("a route that is taken is refused, whatever its parameters are called, and names its owner", async () => {
  await instance.serve.createEndpoint("owner", { backend: "one", route: "/owned/:id" });
  await expect(instance.serve.createEndpoint("second-owner", { backend: "one", route: "/owned/:key/" })).rejects.toMatchObject({
    code: "route_taken",
    message: expect.stringContaining('"owner"'),
    details: { endpoint: "owner" },
  });
  expect(await instance.serve.listEndpoints()).not.toHaveProperty("second-owner");
});

test("an update changes what it names and nothing else", async () => {
  await instance.serve.createEndpoint("changed", { backend: "one", route: "/changed", methods: ["GET", "PUT"] });
  await instance.serve.updateEndpoint("changed", { route: "/moved" });
  expect(await status("/changed")).toBe(404);
  expect(await instance.text("/moved", { method: "PUT" })).toBe("one PUT");
  expect(await instance.serve.getEndpoint("changed")).toMatchObject({ route: "/moved", methods: ["GET", "PUT"], traffic: { one: 1 } });
});

test("an update to a route that is taken is refused and the old route stays", async () => {
  await instance.serve.createEndpoint("left", { backend: "one", route: "/left" });
  await instance.serve.createEndpoint("right", { backend: "one", route: "/right" });
  await expect(instance.serve.updateEndpoint("right", { route: "/left" })).rejects.toMatchObject({ code: "route_taken" });
  expect(await status("/right")).toBe(200);
});

test("an endpoint without a route is reached by a handle and not by HTTP", async () => {
  await instance.serve.createEndpoint("headless", { backend: "one" });
  expect((await instance.serve.listEndpoints()).headless).toMatchObject({ route: null });
  expect(await (await instance.serve.handle("headless").send()).text()).toBe("one GET");
  expect(await (await instance.serve.handle("headless").send({ any: "body" })).text()).toBe("one POST");
  expect(await status("/headless")).toBe(404);
});

test("a handle of an endpoint that does not exist says so", async () => {
  await expect(instance.serve.handle("nowhere").send()).rejects.toMatchObject({ code: "endpoint_not_found" });
});

test("deleting an endpoint leaves its backend, and frees name and route at once", async () => {
  await instance.serve.createBackend("kept", () => "kept");
  const pids = await instance.replicaPids("kept");
  await instance.serve.createEndpoint("short-lived", { backend: "kept", route: "/short-lived" });
  expect(await instance.serve.deleteEndpoint("short-lived")).toBe(true);
  expect(await problem(await instance.fetch("/short-lived"))).toMatchObject({ status: 404, code: "route_not_found" });
  expect(await instance.replicaPids("kept")).toEqual(pids);
  await instance.serve.createEndpoint("short-lived", { backend: "one", route: "/elsewhere" });
  await instance.serve.createEndpoint("successor", { backend: "kept", route: "/short-lived" });
  expect(await instance.text("/short-lived")).toBe("kept");
});

test("deleting an endpoint that does not exist is fine", async () => {
  expect(await instance.serve.deleteEndpoint("never-there")).toBe(false);
});

test("calls about an endpoint that does not exist name it", async () => {
  for (const call of [
    () => instance.serve.getEndpoint("missing"),
    () => instance.serve.updateEndpoint("missing", { route: "/x" }),
    () => instance.serve.setTraffic("missing", { one: 1 }),
    () => instance.serve.shadowTraffic("missing", "one", 0.5),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: "endpoint_not_found", message: expect.stringContaining('"missing"') });
  }
});

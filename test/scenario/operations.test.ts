// Running an instance: what it says of itself, who may speak to it, what survives a controller's death, and repeats.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { HeadgateError, type HandlerRequest, connect, start } from "headgate";
import { InlineHandler_Shape } from "@headgate/proto/backend";
import { ControllerServiceDefinition, CreateBackendRequest, DeleteBackendRequest } from "@headgate/proto/controller";
import { openChannel } from "@headgate/rpc";
import { GATE_FILES, entered, openGate } from "../support/gate.ts";
import { REPOSITORY, alive, openSocket, problem, runNode, startInstance, temporaryFolder, waitFor } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const token = async () => (await readFile(join(instance.stateDir, "token"), "utf8")).trim();

test("/-/routes tells each route with its endpoint, methods and traffic", async () => {
  const { serve } = instance;
  await serve.createBackend({ name: "kept", handler: () => String(process.pid), config: { numReplicas: 2 } });
  await serve.createEndpoint("kept", { backend: "kept", route: "/kept", methods: ["get", "POST"] });
  await serve.createEndpoint("headless", { backend: "kept" });
  const response = await instance.fetch("/-/routes");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json");
  const { routes } = (await response.json()) as { routes: readonly Record<string, unknown>[] };
  expect(routes).toEqual([{ route: "/kept", endpoint: "kept", methods: expect.any(Array), traffic: { kept: 1 } }]);
  expect(routes[0]?.methods).toEqual(expect.arrayContaining(["GET", "POST"]));
});

test("/-/healthz gives 200, also on the admin port, and no other path below /-/ exists", async () => {
  expect((await instance.fetch("/-/healthz")).status).toBe(200);
  expect((await fetch(`${instance.serve.adminUrl}/-/healthz`)).status).toBe(200);
  expect(await problem(await instance.fetch("/-/secrets"))).toMatchObject({ status: 404, code: "route_not_found" });
  expect(await problem(await instance.fetch("/-/healthz", { method: "DELETE" }))).toMatchObject({
    status: 405,
    code: "method_not_allowed",
  });
});

test("while draining, running requests finish and /-/healthz gives 503", async () => {
  await using other = await startInstance({ files: GATE_FILES });
  await other.serve.createBackend("slow", "./gate.ts#gate");
  await other.serve.createEndpoint("slow", { backend: "slow", route: "/slow" });
  const { httpUrl } = other.serve;
  const socket = await openSocket(httpUrl);
  let answer = "";
  socket.on("data", (piece) => (answer += piece.toString()));
  socket.write("GET /slow?gate=a HTTP/1.1\r\nhost: x\r\n\r\n");
  await entered(other, "a");
  const ended = other.serve.shutdown();
  await waitFor("the drain", () =>
    fetch(`${httpUrl}/-/healthz`).then(
      () => false,
      () => true,
    ),
  );
  socket.write("GET /-/healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  await openGate(other, "a");
  await waitFor("both answers", () => answer.includes('"draining"'));
  expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*passed a[^]*HTTP\/1\.1 503 [^]*"code":"draining"/);
  await ended;
});

test("each answer has a request id: the caller's own where it is sound, else a fresh one; the handler sees the same", async () => {
  const { serve } = instance;
  await serve.createBackend("ids", (request: HandlerRequest) => request.requestId);
  await serve.createEndpoint("ids", { backend: "ids", route: "/ids" });
  const own = await instance.fetch("/ids", { headers: { "x-request-id": "order-66" } });
  expect([own.headers.get("x-request-id"), await own.text()]).toEqual(["order-66", "order-66"]);
  const unsound = await instance.fetch("/ids", { headers: { "x-request-id": "a b<script>" } });
  const fresh = await instance.fetch("/ids");
  const ids = [unsound, fresh].map((response) => response.headers.get("x-request-id"));
  expect([await unsound.text(), await fresh.text()]).toEqual(ids);
  expect(ids).not.toContain("a b<script>");
  expect(new Set(ids).size).toBe(2);
});

test("status tells controller, bridges and replicas with pids that run", async () => {
  const { controller, bridges, replicas } = await instance.serve.status();
  expect(controller.state).toBe("serving");
  expect(bridges.map(({ state }) => state)).toEqual(["serving"]);
  expect(replicas.filter(({ backend }) => backend === "kept")).toHaveLength(2);
  for (const { pid } of [controller, ...bridges, ...replicas]) expect(pid !== null && alive(pid)).toBe(true);
});

test("connect finds a running instance by its state directory; leaving it does not end it", async () => {
  const other = await connect({ stateDir: instance.stateDir });
  expect(Object.keys(await other.listBackends())).toContain("kept");
  expect(other.httpUrl).toBe(instance.serve.httpUrl);
  expect(await (await other.handle("headless").send()).text()).toMatch(/^\d+$/);
  await other.close();
  expect((await instance.fetch("/kept")).status).toBe(200);
});

test("no control call is answered without the right token, and the instance goes on", async () => {
  for (const wrong of [{}, { token: "wrong" }]) {
    using channel = openChannel({ address: instance.serve.controlAddress, ...wrong });
    const client: Readonly<Record<string, unknown>> = { ...channel.client(ControllerServiceDefinition) };
    const names = Object.keys(ControllerServiceDefinition.methods);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      // Each entry of a client is a call; a stream's fault comes with its first message.
      const call = client[name] as (request: object) => Promise<unknown> | AsyncIterable<unknown>;
      const answer = call({});
      const outcome = Symbol.asyncIterator in answer ? answer[Symbol.asyncIterator]().next() : answer;
      await expect(outcome).rejects.toMatchObject({ code: "unauthenticated" });
    }
  }
  await expect(connect({ address: instance.serve.controlAddress, token: "wrong" })).rejects.toMatchObject({ code: "unauthenticated" });
  const { adminUrl } = instance.serve;
  expect((await fetch(`${adminUrl}/-/status`)).status).toBe(401);
  expect((await fetch(`${adminUrl}/-/status`, { headers: { authorization: `Bearer ${await token()}` } })).status).toBe(200);
  expect((await instance.fetch("/kept")).status).toBe(200);
});

test("a repeat with the same request id gives the same answer; the id for another request is refused", async () => {
  using channel = openChannel({ address: instance.serve.controlAddress, token: await token() });
  const client = channel.client(ControllerServiceDefinition);
  const request = CreateBackendRequest.fromPartial({
    requestId: "deploy-17",
    spec: { name: "once", handler: { kind: { $case: "inline", value: { source: "() => 'once'", shape: InlineHandler_Shape.FUNCTION } } } },
  });
  const first = await client.createBackend(request);
  const again = await client.createBackend(request);
  expect(again.backend?.generation).toEqual(first.backend?.generation);
  expect(again.backend?.replicas.map(({ pid }) => pid)).toEqual(first.backend?.replicas.map(({ pid }) => pid));
  await expect(client.deleteBackend(DeleteBackendRequest.fromPartial({ requestId: "deploy-17", name: "once" }))).rejects.toMatchObject({
    code: "request_id_reused",
  });
});

test("changes can be repeated: each gives the same end and no further replica", async () => {
  const { serve } = instance;
  const pids = await instance.replicaPids("kept");
  for (const round of [1, 2]) {
    await serve.createBackend({ name: "kept", handler: () => String(process.pid), config: { numReplicas: 2 } });
    await serve.createEndpoint("kept", { backend: "kept", route: "/kept", methods: ["get", "POST"] });
    expect((await serve.setTraffic("kept", { kept: 1 })).traffic).toEqual({ kept: 1 });
    expect((await serve.updateBackend("kept", { config: { maxConcurrentQueries: 50 } })).maxConcurrentQueries).toBe(50);
    await serve.updateBackend("kept", { config: { maxConcurrentQueries: 100 } });
    expect(await serve.deleteEndpoint("ids")).toBe(round === 1);
    expect(await serve.deleteBackend("ids")).toBe(round === 1);
  }
  expect(await instance.replicaPids("kept")).toEqual(pids);
});

test("a controller that is killed stops no traffic; its successor adopts the same replicas and bridges", async () => {
  const before = await instance.serve.status();
  const { httpUrl } = instance.serve;
  const replicas = new Map(before.replicas.map(({ id, pid }) => [id, pid]));
  process.kill(before.controller.pid, "SIGKILL");
  await waitFor("the controller's end", () => !alive(before.controller.pid));
  for (let request = 0; request < 50; request += 1) expect((await instance.fetch("/kept")).status).toBe(200);
  await expect(instance.serve.listBackends({ signal: AbortSignal.timeout(5_000) })).rejects.toBeInstanceOf(HeadgateError);

  await instance.restart();
  const after = await waitFor("the adoption", async () => {
    const status = await instance.serve.status();
    return status.replicas.length === before.replicas.length && status.replicas.every(({ state }) => state === "serving") ? status : null;
  });
  expect(instance.serve.httpUrl).toBe(httpUrl);
  expect(new Map(after.replicas.map(({ id, pid }) => [id, pid]))).toEqual(replicas);
  expect(after.bridges.map(({ pid }) => pid)).toEqual(before.bridges.map(({ pid }) => pid));
  expect(after.endpoints.map(({ name }) => name)).toEqual(before.endpoints.map(({ name }) => name));
  expect(after.controller.epoch).toBe(before.controller.epoch);

  await instance.serve.createEndpoint("after", { backend: "kept", route: "/after" });
  expect(replicas.size).toBeGreaterThan(0);
  expect([...replicas.values()]).toContain(Number(await instance.text("/after")));
});

test("a program whose controller was killed hears so from close() and ends", async () => {
  await using folder = await temporaryFolder();
  const stateDir = join(folder.path, ".headgate");
  const program = `
    import { start } from "headgate";
    const serve = await start({ httpPort: 0, controlPort: 0, adminPort: 0, stateDir: ${JSON.stringify(stateDir)} });
    process.kill((await serve.status()).controller.pid, "SIGKILL");
    await serve.close().catch((error) => console.log(error.code));
  `;
  const { code, stdout, stderr } = await runNode(["--input-type=module", "-e", program], { cwd: REPOSITORY });
  const successor = await start({ httpPort: 0, controlPort: 0, adminPort: 0, stateDir });
  await successor.shutdown({ force: true });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "controller_unavailable\n", stderr: "" });
});

test("a bridge that is killed is replaced and serves the same routes", async () => {
  const [bridge] = (await instance.serve.status()).bridges;
  if (bridge?.pid === null || bridge?.pid === undefined) throw new Error("no bridge");
  process.kill(bridge.pid, "SIGKILL");
  await waitFor("a new bridge", () =>
    instance.text("/kept").then(
      (text) => /^\d+$/.test(text),
      () => false,
    ),
  );
  expect((await instance.serve.status()).bridges.map(({ pid }) => pid)).not.toContain(bridge.pid);
});

test("an instance that was shut down leaves no process and starts again with the same backends and endpoints", async () => {
  const before = await instance.serve.status();
  await instance.serve.shutdown();
  const pids = [before.controller, ...before.bridges, ...before.replicas].map(({ pid }) => pid ?? 0);
  await waitFor("the end of all processes", () => !pids.some(alive));
  await instance.restart();
  const after = await instance.serve.status();
  expect(after.backends.map(({ name }) => name)).toEqual(before.backends.map(({ name }) => name));
  expect(await instance.text("/after")).toMatch(/^\d+$/);
});

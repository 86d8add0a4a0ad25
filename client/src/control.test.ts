import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { HeadgateError, fault } from "@headgate/core";
import { BackendStatus, BackendStatus_State, ReplicaStatus_State } from "@headgate/proto/backend";
import { ControllerServiceDefinition, type ControllerServiceImplementation } from "@headgate/proto/controller";
import { faultsServerMiddleware } from "@headgate/rpc";
import { type Server, createServer } from "nice-grpc";
import { type ControlClient, openControl } from "./control.ts";

const BACKEND = BackendStatus.fromPartial({
  spec: {
    name: "a",
    handler: { kind: { $case: "module", value: { path: "./h.ts", exportName: "h" } } },
    args: [1, { x: null }],
    config: { numReplicas: 2, maxBatchSize: undefined, env: { A: "1" }, methods: ["handle"] },
  },
  state: BackendStatus_State.READY,
  replicas: [{ id: "a-1", pid: 7, state: ReplicaStatus_State.SERVING, completed: 3n, startedAtMs: 5n }],
  lastError: { name: "TypeError", message: "bad", file: "h.ts", line: 3 },
  revision: 4n,
});
const ENDPOINT = {
  spec: { name: "e", route: "/e", methods: ["GET"], traffic: [{ backend: "a", weight: 1 }], shadows: [] },
  revision: 2n,
};

/** What the fake controller was asked last. */
let asked: Record<string, unknown> = {};
const answer =
  <Answer>(value: Answer) =>
  async (request: object): Promise<Answer> => {
    asked = { ...request };
    return value;
  };
let server: Server;
let control: ControlClient;

const unused = async (): Promise<never> => {
  throw new Error("no test calls this");
};
const calls = Object.keys(ControllerServiceDefinition.methods);

// Answers every call that the tests make.
const implementation = {
  ...Object.fromEntries(calls.map((call) => [call, unused])),
  createBackend: answer({ backend: BACKEND }),
  updateBackend: answer({ backend: BACKEND }),
  listBackends: async () => ({ backends: [BACKEND] }),
  getBackend: async ({ name }: { name: string }) => {
    throw new HeadgateError(fault("backend_not_found", `there is no backend "${name}"`, { backend: name }));
  },
  createEndpoint: answer({ endpoint: ENDPOINT }),
  updateEndpoint: answer({ endpoint: ENDPOINT }),
  deleteBackend: () => new Promise(() => undefined),
  async *streamLogs() {
    yield { source: "a-1", line: "one" };
    yield { source: "a-1", line: "two" };
  },
} as unknown as ControllerServiceImplementation;

beforeAll(async () => {
  server = createServer().use(faultsServerMiddleware(() => undefined));
  server.add(ControllerServiceDefinition, implementation);
  control = openControl({ address: `127.0.0.1:${await server.listen("127.0.0.1:0")}`, token: "t" });
});
afterAll(() => {
  control.close();
  server.forceShutdown();
});
beforeEach(() => {
  asked = {};
});

const HANDLER = { kind: "module", path: "./h.ts", exportName: "h" } as const;

test("a backend comes back in the words of the domain", async () => {
  const [backend] = await control.listBackends();
  expect(backend).toMatchObject({
    name: "a",
    state: "ready",
    numReplicas: 2,
    maxConcurrentQueries: 100,
    maxBatchSize: null,
    handler: HANDLER,
    args: [1, { x: null }],
    replicas: [{ id: "a-1", pid: 7, state: "serving", completed: 3, memoryBytes: null }],
    lastError: { name: "TypeError", message: "bad", file: "h.ts", line: 3 },
    revision: 4,
  });
});

test("a new backend travels with every default filled in", async () => {
  await control.createBackend({ name: "a", handler: HANDLER, args: ["x"], config: { numReplicas: 3 } }, { requestId: "r" });
  expect(asked).toMatchObject({ requestId: "r", spec: { name: "a", args: ["x"], config: { numReplicas: 3, maxConcurrentQueries: 100 } } });
});

test("a change says only what changes, and which settings are replaced whole", async () => {
  await control.updateBackend("a", { config: { numReplicas: 3, maxBatchSize: null, env: {} }, restart: true });
  expect(asked).toMatchObject({ name: "a", restart: true, handler: undefined, args: undefined, configFields: ["env", "max_batch_size"] });
  expect(asked.config).toMatchObject({ numReplicas: 3, maxConcurrentQueries: undefined, maxBatchSize: undefined, env: {} });
  await control.updateEndpoint("e", { route: null });
  expect(asked).toMatchObject({ name: "e", route: "", requestTimeoutMs: undefined, maxBodyBytes: undefined });
});

test("mistakes that need no controller are refused without one", async () => {
  await expect(control.createBackend({ name: "-", handler: HANDLER })).rejects.toMatchObject({ code: "invalid_argument" });
  const config: object = { replicas: 1 };
  await expect(control.updateBackend("a", { config })).rejects.toMatchObject({ code: "unknown_field" });
  await expect(control.createEndpoint({ name: "e", traffic: { a: 0.5 } })).rejects.toMatchObject({ code: "invalid_argument" });
  expect(asked).toEqual({});
});

test("a refusal of the controller keeps its code and details", async () => {
  await expect(control.getBackend("zzz")).rejects.toMatchObject({
    code: "backend_not_found",
    details: { backend: "zzz" },
    retryable: false,
  });
});

test("log lines come one by one", async () => {
  const lines: string[] = [];
  for await (const { line } of control.logs()) lines.push(line);
  expect(lines).toEqual(["one", "two"]);
});

test("a signal ends the wait", async () => {
  await expect(control.deleteBackend("a", { signal: AbortSignal.timeout(20) })).rejects.toThrow();
});

test("a controller that is not there is told as such", async () => {
  using nobody = openControl({ address: "127.0.0.1:1", token: "t" });
  await expect(nobody.listBackends()).rejects.toMatchObject({ code: "controller_unavailable" });
});

test("a closed connection says so", async () => {
  const closed = openControl({ address: "127.0.0.1:1", token: "t" });
  closed.close();
  await expect(closed.listBackends()).rejects.toMatchObject({
    code: "controller_unavailable",
    message: expect.stringContaining("is closed"),
  });
  await expect(closed.status()).rejects.toBeInstanceOf(HeadgateError);
});

// Who may call what, over every RPC there is: the list comes from the definitions, so a new RPC is in it by itself.

import { AttachmentServiceDefinition, Boot } from "@headgate/proto/attachment";
import { ControllerServiceDefinition } from "@headgate/proto/controller";
import { HealthDefinition } from "@headgate/proto/grpc/health/v1/health";
import { ServerReflectionDefinition } from "@headgate/proto/grpc/reflection/v1/reflection";
import { ServerReflectionDefinition as ServerReflectionAlphaDefinition } from "@headgate/proto/grpc/reflection/v1alpha/reflection";
import { BridgeBoot, RoutingServiceDefinition } from "@headgate/proto/routing";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type TestInstance, startTestInstance } from "./test-instance.ts";

const SERVICES = [
  ControllerServiceDefinition,
  RoutingServiceDefinition,
  HealthDefinition,
  ServerReflectionDefinition,
  ServerReflectionAlphaDefinition,
] as const;
const RPCS = SERVICES.flatMap((service) =>
  Object.entries(service.methods).map(([method, { requestStream, responseStream }]) => ({
    service,
    method,
    requestStream,
    responseStream,
    name: `${service.fullName}/${method}`,
  })),
);
type Rpc = (typeof RPCS)[number];

let instance: TestInstance;
beforeAll(async () => {
  instance = await startTestInstance();
  await createBackend("host");
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

function createBackend(name: string): Promise<unknown> {
  const handler = { kind: { $case: "inline" as const, value: { source: "() => 1", shape: 1 as const, acceptsBatches: false } } };
  return instance.client.createBackend({ spec: { name, handler, args: [], config: { env: {}, methods: [] } } });
}

/** What a call with an empty request comes to: its fault's code, or "let in". */
async function call(rpc: Rpc, token: string | undefined): Promise<string> {
  const client = instance.open(token).client(rpc.service);
  const method: unknown = Reflect.get(client, rpc.method);
  if (typeof method !== "function") throw new Error(`no method ${rpc.name}`);
  const empty = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) };
  const signal = AbortSignal.timeout(500);
  try {
    const answer: unknown = method(rpc.requestStream ? empty : {}, { signal, timeoutMs: 0 });
    if (!rpc.responseStream) await answer;
    // A client of a streaming method gives an iterable.
    else for await (const _ of answer as AsyncIterable<unknown>) break;
    return "let in";
  } catch (error) {
    if (signal.aborted) return "let in";
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

const bootOf = (backend: string): Boot => Boot.fromJSON(instance.launcher.running(`${backend}-`)[0]?.boot);
const bridgeToken = (): string => BridgeBoot.fromJSON(instance.launcher.running("bridge-")[0]?.boot).token;

describe.each(RPCS)("$name", (rpc) => {
  test("is refused without a token", async () => {
    expect(await call(rpc, undefined)).toBe("unauthenticated");
  });

  test.each(["wrong", "a-control-token-of-at-least-32-character", "a-control-token-of-at-least-32-charactersX"])(
    "is refused with the token %j",
    async (token) => {
      expect(await call(rpc, token)).toBe("unauthenticated");
    },
  );

  test("lets a bridge's token in for routing alone", async () => {
    expect(await call(rpc, bridgeToken())).toBe(rpc.service === RoutingServiceDefinition ? "let in" : "permission_denied");
  });

  test("lets a replica's token in for routing alone", async () => {
    expect(await call(rpc, bootOf("host").routingToken)).toBe(rpc.service === RoutingServiceDefinition ? "let in" : "permission_denied");
  });

  // The real one would end the instance.
  if (rpc.method !== "shutdown") {
    test("lets the control token in", async () => {
      expect(["unauthenticated", "permission_denied"]).not.toContain(await call(rpc, instance.token));
    });
  }
});

test.each([
  ["an unknown replica", { $case: "register", value: { replicaId: "none", joinToken: "x", pid: 1 } }],
  [
    "a resume of an unknown replica",
    { $case: "resume", value: { replicaId: "none", resumeToken: "x", pid: 1, ready: undefined, draining: false } },
  ],
  ["a first message that is neither", { $case: "drained", value: {} }],
] as const)("Attach refuses %s, whoever calls", async (_what, kind) => {
  const attach = instance
    .open(instance.token)
    .client(AttachmentServiceDefinition)
    .attach(
      (async function* () {
        yield { kind };
      })(),
    );
  await expect(attach[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "unauthenticated" });
});

test("a join token is good for one register", async () => {
  await createBackend("once");
  const { replicaId, joinToken } = bootOf("once");
  const attach = instance
    .open(undefined)
    .client(AttachmentServiceDefinition)
    .attach(
      (async function* () {
        yield { kind: { $case: "register" as const, value: { replicaId, joinToken, pid: 1 } } };
      })(),
    );
  await expect(attach[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "unauthenticated" });
});

test("a replica's token for the routing feed ends with its replica", async () => {
  await createBackend("short-lived");
  const { routingToken } = bootOf("short-lived");
  await instance.client.deleteBackend({ name: "short-lived", force: true });
  const watch = instance
    .open(routingToken)
    .client(RoutingServiceDefinition)
    .watchRouting((async function* () {})());
  await expect(watch[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "unauthenticated" });
});

test("what a replica's token says on the routing feed counts for no bridge", async () => {
  const [bridge] = instance.launcher.running("bridge-");
  const { bridgeId } = BridgeBoot.fromJSON(bridge?.boot);
  const before = instance.cluster.feed.acked(bridgeId);
  const watch = instance
    .open(bootOf("host").routingToken)
    .client(RoutingServiceDefinition)
    .watchRouting(
      (async function* () {
        yield { kind: { $case: "hello" as const, value: { bridgeId, pid: 1, httpPort: 9 } } };
        yield { kind: { $case: "ack" as const, value: { epoch: "epoch", sequence: 1n } } };
      })(),
    );
  // It is told of tables, and that is all.
  for await (const { kind } of watch) {
    expect(kind?.$case).toBe("table");
    break;
  }
  expect(instance.cluster.feed.acked(bridgeId)).toBe(before);
});

test("health tells of the whole and of each service", async () => {
  const health = instance.open(instance.token).client(HealthDefinition);
  expect(await health.check({ service: "" })).toEqual({ status: 1 });
  expect(await health.check({ service: ControllerServiceDefinition.fullName })).toEqual({ status: 1 });
  await expect(health.check({ service: "none" })).rejects.toThrow("none");
});

test("reflection lists every service, and describes them with all they import", async () => {
  const reflection = instance.open(instance.token).client(ServerReflectionDefinition);
  const answers: unknown[] = [];
  const ask = (async function* () {
    yield { host: "", messageRequest: { $case: "listServices" as const, value: "" } };
    yield { host: "", messageRequest: { $case: "fileContainingSymbol" as const, value: "headgate.v1.ControllerService.CreateBackend" } };
    yield { host: "", messageRequest: { $case: "fileContainingSymbol" as const, value: "headgate.v1.Nothing" } };
  })();
  for await (const { messageResponse } of reflection.serverReflectionInfo(ask)) answers.push(messageResponse);
  const names = [...SERVICES, AttachmentServiceDefinition].map((service) => ({ name: service.fullName }));
  expect(answers[0]).toMatchObject({ value: { service: expect.arrayContaining(names) } });
  const files = answers[1] as { readonly value: { readonly fileDescriptorProto: readonly Uint8Array[] } };
  expect(files.value.fileDescriptorProto.map((file) => Buffer.from(file).toString("latin1", 2, 2 + (file[1] ?? 0)))).toEqual(
    expect.arrayContaining([
      "headgate/v1/controller.proto",
      "headgate/v1/backend.proto",
      "headgate/v1/fault.proto",
      "google/protobuf/struct.proto",
    ]),
  );
  expect(answers[2]).toMatchObject({ $case: "errorResponse", value: { errorCode: 5 } });
});

test("an error that nobody expected is hidden from the caller and told to the log", async () => {
  const { list } = instance.bridges;
  const value = (): never => {
    throw new Error("a secret");
  };
  Object.defineProperty(list, "map", { configurable: true, value });
  try {
    await expect(instance.client.getStatus({})).rejects.toMatchObject({ code: "internal", message: expect.not.stringContaining("secret") });
  } finally {
    Reflect.deleteProperty(list, "map");
  }
  expect(instance.unexpected.map(String).join()).toContain("a secret");
});

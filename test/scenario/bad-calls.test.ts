// Bad input as any gRPC client can send it, past all that the package checks before it calls: the controller refuses it by
// itself, with the fault as a typed detail, and no call is answered without the token.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { InlineHandler_Shape } from "@headgate/proto/backend";
import { ControllerServiceDefinition } from "@headgate/proto/controller";
import { openChannel } from "@headgate/rpc";
import { type TestInstance, startInstance } from "../support/instance.ts";

let instance: TestInstance;
let token: string;
let channel: ReturnType<typeof openChannel>;
beforeAll(async () => {
  instance = await startInstance();
  token = (await readFile(join(instance.stateDir, "token"), "utf8")).trim();
  channel = openChannel({ address: instance.serve.controlAddress, token });
  await instance.serve.createBackend("good", () => "good");
  await instance.serve.createEndpoint("good", { backend: "good", route: "/good" });
});
afterAll(async () => {
  channel?.close();
  await instance?.[Symbol.asyncDispose]();
});

const client = () => channel.client(ControllerServiceDefinition);
const inline = (name: string) => ({
  name,
  handler: { kind: { $case: "inline" as const, value: { source: "() => 1", shape: InlineHandler_Shape.FUNCTION, acceptsBatches: false } } },
});

const CALLS: readonly (readonly [string, () => Promise<unknown>, Record<string, unknown>])[] = [
  ["a backend without a spec", () => client().createBackend({}), { code: "invalid_argument" }],
  ["a backend without a handler", () => client().createBackend({ spec: { name: "b" } }), { code: "invalid_argument" }],
  [
    "a backend with a bad name",
    () => client().createBackend({ spec: inline("not a name") }),
    { code: "invalid_argument", details: { field: "name" } },
  ],
  [
    "an endpoint with a wrong route",
    () => client().createEndpoint({ spec: { name: "e", route: "no-slash", traffic: [{ backend: "good", weight: 1 }] } }),
    { code: "invalid_argument", details: { field: "route" } },
  ],
  [
    "an endpoint without traffic",
    () => client().createEndpoint({ spec: { name: "e", route: "/e" } }),
    { code: "invalid_argument", details: { field: "traffic" } },
  ],
  [
    "weights that do not sum to 1",
    () => client().setTraffic({ endpoint: "good", traffic: [{ backend: "good", weight: 0.5 }] }),
    { code: "invalid_argument", details: { field: "traffic" } },
  ],
  [
    "a backend twice in the weights",
    () =>
      client().setTraffic({
        endpoint: "good",
        traffic: [
          { backend: "good", weight: 0.5 },
          { backend: "good", weight: 0.5 },
        ],
      }),
    { code: "invalid_argument", details: { field: "traffic" } },
  ],
  [
    "a shadow's proportion above 1",
    () => client().setShadow({ endpoint: "good", backend: "good", proportion: 2 }),
    { code: "invalid_argument", details: { field: "proportion" } },
  ],
  [
    "a request id that is too long",
    () => client().deleteEndpoint({ name: "other", requestId: "x".repeat(200) }),
    { code: "invalid_argument", details: { field: "request_id" } },
  ],
];

test.each(CALLS)("the controller refuses %s", async (_, call, expected) => {
  await expect(call()).rejects.toMatchObject(expected);
  expect(Object.keys(await instance.serve.listBackends())).toEqual(["good"]);
  expect(await instance.serve.listEndpoints()).toEqual({ good: { route: "/good", methods: ["GET"], traffic: { good: 1 } } });
});

test("a request id is answered again for the same request and refused for another", async () => {
  const ask = (name: string) => client().deleteEndpoint({ name, requestId: "once" });
  expect(await ask("nobody")).toEqual(await ask("nobody"));
  await expect(ask("good")).rejects.toMatchObject({ code: "request_id_reused" });
  expect(await instance.text("/good")).toBe("good");
});

test.each([
  ["none", ""],
  ["a wrong one", "x".repeat(43)],
])("no call is answered without the token: %s", async (_, wrong) => {
  const stranger = openChannel({ address: instance.serve.controlAddress, token: wrong });
  try {
    const calls = stranger.client(ControllerServiceDefinition);
    for (const call of [
      () => calls.getStatus({}),
      () => calls.listBackends({}),
      () => calls.listEndpoints({}),
      () => calls.getBackend({ name: "good" }),
      () => calls.createBackend({ spec: inline("b") }),
      () => calls.deleteBackend({ name: "good", force: true }),
      () => calls.deleteEndpoint({ name: "good" }),
      () => calls.setTraffic({ endpoint: "good", traffic: [{ backend: "good", weight: 1 }] }),
      () => calls.setShadow({ endpoint: "good", backend: "good", proportion: 1 }),
      () => calls.shutdown({ force: true }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "unauthenticated" });
    }
  } finally {
    stranger.close();
  }
  expect(await instance.text("/good")).toBe("good");
});

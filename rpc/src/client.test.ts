// The client's side over a real channel: slow connections, deadlines, tokens and faults.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { type Server as NetServer, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HeadgateError, fault } from "@headgate/core";
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthDefinition,
  type HealthServiceImplementation,
} from "@headgate/proto/grpc/health/v1/health";
import { type RpcServer, listenRpc, openChannel } from "@headgate/rpc";

let folder = "";
let address = "";
let server: RpcServer | null = null;
let unexpected: unknown[] = [];
const tokens: unknown[] = [];

/** A service whose name says how it behaves. */
const behaving: Pick<HealthServiceImplementation, "check"> = {
  async check({ service }, context) {
    tokens.push(context.metadata.get("authorization"));
    if (service === "fault") throw new HeadgateError(fault("queue_full", "full: come back", { limit: "7" }, 250));
    if (service === "secret") throw new Error("password is hunter2");
    if (service === "slow") await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    return { status: ServingStatus.SERVING };
  },
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-client-"));
  address = `unix:${join(folder, "s.sock")}`;
  unexpected = [];
  tokens.length = 0;
  server = await listenRpc({
    addresses: [address],
    services: (one) => one.add(HealthDefinition, { ...behaving, async *watch() {} }),
    onUnexpected: (error) => unexpected.push(error),
  });
});
afterEach(async () => {
  await server?.close(0);
  rmSync(folder, { recursive: true, force: true });
});

test("a connection that takes its time is waited for", async () => {
  const path = join(folder, "slow.sock");
  const proxy: NetServer = createServer((socket) => {
    setTimeout(() => {
      const onward = connect(address.slice(5));
      for (const one of [socket, onward]) one.on("error", () => undefined);
      socket.pipe(onward).pipe(socket);
    }, 300);
  });
  await new Promise<void>((resolve) => proxy.listen(path, resolve));
  using channel = openChannel({ address: `unix:${path}` });
  expect(await channel.client(HealthDefinition).check({ service: "" })).toEqual({ status: ServingStatus.SERVING });
  proxy.close();
});

test("the token goes along with every call, and none where there is none", async () => {
  using channel = openChannel({ address, token: "t0k3n" });
  using other = openChannel({ address });
  await channel.client(HealthDefinition).check({ service: "" });
  await other.client(HealthDefinition).check({ service: "" });
  expect(tokens).toEqual(["Bearer t0k3n", undefined]);
});

test("a fault arrives whole", async () => {
  using channel = openChannel({ address });
  await expect(channel.client(HealthDefinition).check({ service: "fault" })).rejects.toMatchObject({
    name: "HeadgateError",
    code: "queue_full",
    message: "full: come back",
    details: { limit: "7" },
    retryable: true,
    retryAfterMs: 250,
  });
});

test("what a server did not mean to throw reaches its own ear and not the caller's", async () => {
  using channel = openChannel({ address });
  const thrown = await channel
    .client(HealthDefinition)
    .check({ service: "secret" })
    .catch((error: unknown) => error);
  expect(thrown).toMatchObject({ code: "internal" });
  expect(JSON.stringify(thrown) + String(thrown)).not.toContain("hunter2");
  expect(String(unexpected[0])).toContain("hunter2");
});

test("a call ends at its own deadline, or at the channel's", async () => {
  using channel = openChannel({ address, defaultTimeoutMs: 60 });
  const health = channel.client(HealthDefinition);
  await expect(health.check({ service: "slow" })).rejects.toMatchObject({ code: "deadline_exceeded" });
  using patient = openChannel({ address, defaultTimeoutMs: 60_000 });
  await expect(patient.client(HealthDefinition).check({ service: "slow" }, { timeoutMs: 60 })).rejects.toMatchObject({
    code: "deadline_exceeded",
  });
});

test("where nobody listens, the fault says so", async () => {
  using channel = openChannel({ address: `unix:${join(folder, "nobody.sock")}` });
  await expect(channel.client(HealthDefinition).check({ service: "" })).rejects.toMatchObject({ code: "controller_unavailable" });
  await expect(channel.ready(100)).rejects.toMatchObject({
    code: "controller_unavailable",
    message: expect.stringContaining("nobody.sock"),
  });
});

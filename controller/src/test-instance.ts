// A whole controller in this process, for tests: the real services over real sockets, with fake processes and a store in memory.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControllerServiceDefinition } from "@headgate/proto/controller";
import { type RpcChannel, type RpcClient, openChannel } from "@headgate/rpc";
import { controllerService } from "./api.ts";
import { attachmentService } from "./attachment.ts";
import { Bridges } from "./bridges.ts";
import { Cluster } from "./cluster.ts";
import { FakeLauncher } from "./fake-launcher.ts";
import { newMemory, openMemoryStore } from "./memory-store.ts";
import { RoutingFeed } from "./routing-feed.ts";
import { serveRpc } from "./rpc-servers.ts";

/** An instance under test. */
export interface TestInstance extends AsyncDisposable {
  readonly client: RpcClient<typeof ControllerServiceDefinition>;
  readonly launcher: FakeLauncher;
  readonly cluster: Cluster;
  readonly bridges: Bridges;
  readonly token: string;
  readonly logDir: string;
  /** Opens a further connection. */
  open(token: string | undefined): RpcChannel;
  /** Errors that were hidden from callers. */
  readonly unexpected: unknown[];
}

/** Starts one, with two bridges. */
export async function startTestInstance(options: { readonly constructorTimeoutMs?: number } = {}): Promise<TestInstance> {
  const root = mkdtempSync(join(tmpdir(), "headgate-test-"));
  const token = "a-control-token-of-at-least-32-characters";
  const socket = `unix:${join(root, "control.sock")}`;
  const store = openMemoryStore(newMemory("epoch"));
  const launcher = new FakeLauncher();
  const unexpected: unknown[] = [];
  const { stored } = store;
  const cluster = new Cluster({
    store,
    launcher,
    pool: {
      root,
      controlAddress: socket,
      address: (number) => `unix:${join(root, `r-${number}.sock`)}`,
      constructorTimeoutMs: options.constructorTimeoutMs ?? 10_000,
    },
    clock: { now: () => Date.now() },
    random: () => 0.5,
    log: () => undefined,
    feed: (onChange) => new RoutingFeed(stored.epoch, stored.incarnation, onChange),
  });
  const bridges = new Bridges({
    launcher,
    store,
    feed: cluster.feed,
    controlAddress: socket,
    log: () => undefined,
    changed: () => undefined,
  });
  const rpc = await serveRpc(
    {
      controller: controllerService({
        cluster,
        bridges,
        store,
        root,
        logDir: root,
        version: "0.0.0",
        startedAtMs: 1,
        urls: () => ({ httpUrl: "http://127.0.0.1:8080", h2cUrl: "", httpsUrl: "", adminUrl: "http://127.0.0.1:8081" }),
        shutdown: async (force) => {
          await bridges.drain(force);
          await cluster.endReplicas(force, AbortSignal.timeout(10_000));
        },
      }),
      routing: bridges.service(),
      attachment: attachmentService(cluster),
      token,
      bridgeOfToken: (given) => bridges.idOfToken(given),
      isReplicaToken: (token) => cluster.pool.knowsRoutingToken(token),
      healthy: () => bridges.ready,
      onUnexpected: (error) => unexpected.push(error),
    },
    [socket, "127.0.0.1:0"],
  );
  await bridges.start(2, { httpHost: "127.0.0.1", httpPort: 0, h2cPort: null, httpsPort: null, tlsCert: "", tlsKey: "" }, stored.bridges);
  cluster.start();
  while (!bridges.ready) await new Promise((resolve) => setTimeout(resolve, 2));
  const address = `127.0.0.1:${rpc.ports[1]}`;
  const channels: RpcChannel[] = [];
  const open = (given: string | undefined): RpcChannel => {
    const channel = openChannel({ address, token: given, defaultTimeoutMs: 10_000 });
    channels.push(channel);
    return channel;
  };
  return {
    client: open(token).client(ControllerServiceDefinition),
    launcher,
    cluster,
    bridges,
    token,
    logDir: root,
    open,
    unexpected,
    async [Symbol.asyncDispose]() {
      await bridges.drain(true);
      await cluster.endReplicas(true, AbortSignal.timeout(10_000));
      for (const channel of channels) channel.close();
      cluster.close();
      await rpc.close(100);
      store[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

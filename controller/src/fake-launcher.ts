// A launcher for tests, without processes: its replicas and bridges are small clients of the real services, run in this process
// and speaking the contract over the real socket. What they do is told by the handler's source.

import { AttachmentServiceDefinition, type AttachRequest, Boot } from "@headgate/proto/attachment";
import { BridgeBoot, RoutingServiceDefinition, type RoutingTable, type WatchRoutingRequest } from "@headgate/proto/routing";
import { type RpcChannel, openChannel } from "@headgate/rpc";
import type { Exit, LaunchSpec, Launcher, ManagedProcess } from "./launcher.ts";
import { Outbox } from "./outbox.ts";

/** A process that is none. */
export interface FakeProcess extends ManagedProcess {
  readonly id: string;
  readonly boot: unknown;
  /** Whether it still runs. */
  running: boolean;
  /** Ends it as a crash does. */
  crash(exit?: Exit): void;
  /** The newest table, of a bridge. */
  table: RoutingTable | null;
}

/** Starts fakes. */
export class FakeLauncher implements Launcher {
  readonly processes: FakeProcess[] = [];
  /** Whether bridges acknowledge the tables they get. */
  acknowledging = true;

  launch(spec: LaunchSpec): FakeProcess {
    const ended = Promise.withResolvers<Exit>();
    const aborted = new AbortController();
    const pid = 1_000_000 + this.processes.length;
    const end = (exit: Exit): void => {
      fake.running = false;
      aborted.abort();
      ended.resolve(exit);
    };
    const fake: FakeProcess = {
      id: spec.id,
      boot: spec.boot,
      pid,
      start: `start-${pid}`,
      exited: ended.promise,
      running: true,
      table: null,
      crash: (exit = { code: null, signal: "SIGKILL" }) => end(exit),
      kill: (signal) => end({ code: null, signal }),
    };
    this.processes.push(fake);
    const run = spec.program === "bridge" ? this.#bridge(fake, aborted.signal) : replica(spec, pid, aborted.signal);
    run.then(end, () => end({ code: 1, signal: null }));
    return fake;
  }

  adopt(pid: number, start: string): ManagedProcess | null {
    return this.processes.find((one) => one.pid === pid && one.start === start && one.running) ?? null;
  }

  close(): void {
    for (const process of this.processes) if (process.running) process.crash();
  }

  /** The running processes whose id begins so. */
  running(prefix: string): FakeProcess[] {
    return this.processes.filter((one) => one.running && one.id.startsWith(prefix));
  }

  async #bridge(fake: FakeProcess, signal: AbortSignal): Promise<Exit> {
    const { bridgeId, controlAddress, token } = BridgeBoot.fromJSON(fake.boot);
    using channel = openChannel({ address: controlAddress, token });
    const out = new Outbox<WatchRoutingRequest>({ newestOnly: false });
    out.push({ kind: { $case: "hello", value: { bridgeId, pid: fake.pid, httpPort: 8_080, h2cPort: 0, httpsPort: 0 } } });
    for await (const { kind } of channel.client(RoutingServiceDefinition).watchRouting(out, { signal })) {
      if (kind?.$case === "drain") return { code: 0, signal: null };
      if (kind?.$case !== "table") continue;
      fake.table = kind.value;
      const { epoch, sequence } = kind.value;
      if (this.acknowledging) out.push({ kind: { $case: "ack", value: { epoch, sequence } } });
    }
    return { code: 1, signal: null };
  }
}

/** A replica. Its source says "throws", "hangs", "exits" or "ignores-drain" where it does not simply serve. */
async function replica(spec: LaunchSpec, pid: number, signal: AbortSignal): Promise<Exit> {
  const boot = Boot.fromJSON(spec.boot);
  const source = boot.spec?.handler?.kind?.$case === "inline" ? boot.spec.handler.kind.value.source : "";
  if (source.includes("exits")) return { code: 3, signal: null };
  using channel: RpcChannel = openChannel({ address: boot.controlAddress });
  const out = new Outbox<AttachRequest>({ newestOnly: false });
  const say = (kind: NonNullable<AttachRequest["kind"]>): void => out.push({ kind });
  say({ $case: "register", value: { replicaId: boot.replicaId, joinToken: boot.joinToken, pid } });
  for await (const { kind } of channel.client(AttachmentServiceDefinition).attach(out, { signal })) {
    switch (kind?.$case) {
      case "registered":
        if (source.includes("throws")) {
          say({ $case: "failed", value: { name: "TypeError", message: "boom", file: "app.ts", line: 7, stack: "", code: "" } });
          out.close();
          break;
        }
        if (!source.includes("hangs"))
          say({ $case: "ready", value: { session: true, direct: false, acceptsBatches: false, methods: ["handle"] } });
        break;
      case "configure": {
        const bad = kind.value.reconfigure && JSON.stringify(kind.value.userConfig).includes("bad");
        const error = bad ? { name: "Error", message: "bad config", file: "app.ts", line: 9, stack: "", code: "" } : undefined;
        say({ $case: "configured", value: { number: kind.value.number, error } });
        break;
      }
      case "drain":
        if (!source.includes("ignores-drain")) say({ $case: "drained", value: {} });
        break;
      case "stop":
        return { code: 0, signal: null };
      case undefined:
        break;
      default:
        kind satisfies never;
    }
  }
  return { code: 1, signal: null };
}

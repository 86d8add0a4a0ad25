// AttachmentService: replicas join, say how they are, and hear what to do. Each message becomes one event; nothing is decided here.

import { HeadgateError, fault, transportOf } from "@headgate/core";
import type { AttachRequest, AttachResponse, AttachmentServiceImplementation } from "@headgate/proto/attachment";
import type { Cluster } from "./cluster.ts";
import type { ReplicaEvent } from "./model/observed.ts";
import { Outbox } from "./outbox.ts";

/** The service. Its callers are known by the tokens in their first message. */
export function attachmentService(cluster: Cluster): AttachmentServiceImplementation {
  return {
    async *attach(requests: AsyncIterable<AttachRequest>): AsyncGenerator<AttachResponse, void, undefined> {
      const outbox = new Outbox<AttachResponse>({ newestOnly: false });
      const listening = listen(cluster, requests, outbox).finally(() => outbox.close());
      // Told to the caller below, by whichever ends first.
      listening.catch(() => undefined);
      yield* outbox;
      await listening;
    },
  };
}

async function listen(cluster: Cluster, requests: AsyncIterable<AttachRequest>, outbox: Outbox<AttachResponse>): Promise<void> {
  let id = "";
  try {
    for await (const { kind } of requests) {
      if (kind === undefined) continue;
      if (id === "") id = join(cluster, kind, outbox);
      else if (kind.$case !== "register" && kind.$case !== "resume") hear(cluster, id, kind);
    }
  } catch (error) {
    // A connection that broke off is the replica's to mend.
    if (error instanceof HeadgateError || id === "") throw error;
  } finally {
    const entry = cluster.pool.entries.get(id);
    if (entry?.outbox === outbox) entry.outbox = null;
  }
}

function join(cluster: Cluster, kind: NonNullable<AttachRequest["kind"]>, outbox: Outbox<AttachResponse>): string {
  const { pool } = cluster;
  switch (kind.$case) {
    case "register": {
      const { replicaId, joinToken, pid } = kind.value;
      const resumeToken = pool.admit(replicaId, joinToken, outbox);
      outbox.push({ kind: { $case: "registered", value: { resumeToken } } });
      pool.event(replicaId, { kind: "registered", pid });
      return replicaId;
    }
    case "resume": {
      const { replicaId, resumeToken, pid, ready, draining } = kind.value;
      const next = pool.admit(replicaId, resumeToken, outbox);
      outbox.push({ kind: { $case: "registered", value: { resumeToken: next } } });
      pool.event(replicaId, { kind: "registered", pid });
      // One that was draining goes from serving to draining within this turn, and so into no table.
      const events: ReplicaEvent[] = ready === undefined ? [] : [readyEvent(cluster, replicaId, ready)];
      if (draining) events.push(...cluster.drainingAgain(replicaId));
      pool.event(replicaId, ...events);
      cluster.resumed(replicaId);
      return replicaId;
    }
    default:
      throw new HeadgateError(fault("unauthenticated", "the first message must be Register or Resume"));
  }
}

function readyEvent(
  cluster: Cluster,
  id: string,
  ready: { readonly session: boolean; readonly direct: boolean; readonly acceptsBatches: boolean },
): ReplicaEvent {
  const configured = cluster.pool.entries.get(id)?.record.revision ?? 0;
  return { kind: "ready", transport: transportOf(ready), acceptsBatches: ready.acceptsBatches, configured };
}

function hear(cluster: Cluster, id: string, kind: NonNullable<AttachRequest["kind"]>): void {
  const { pool } = cluster;
  switch (kind.$case) {
    case "ready":
      pool.event(id, readyEvent(cluster, id, kind.value));
      return;
    case "failed":
      pool.failed(id, kind.value);
      return;
    case "load": {
      const { inFlight, completed, memoryBytes } = kind.value;
      pool.event(id, { kind: "load", load: { inFlight, completed: Number(completed), memoryBytes: Number(memoryBytes) } });
      return;
    }
    case "configured":
      cluster.configured(id, Number(kind.value.number), kind.value.error);
      return;
    case "drained":
      pool.event(id, { kind: "drained" });
      return;
    case "register":
    case "resume":
      return;
    default:
      kind satisfies never;
  }
}

// The replica processes there are: started, registered, told, ended, found again. Keeps each one's observed state by step().
// What should be done with them is decided by plan.ts and asked for by cluster.ts.

import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { type BackendSpec, type Fault, type FaultCode, HeadgateError, fault, isFaultCode } from "@headgate/core";
import { type AttachResponse, Boot } from "@headgate/proto/attachment";
import type { Exception } from "@headgate/proto/fault";
import { backendSpecToProto, tokenHash, tokenMatches } from "@headgate/rpc";
import type { Exit, Launcher, ManagedProcess } from "./launcher.ts";
import { type Replica, type ReplicaEvent, launched, step } from "./model/observed.ts";
import type { Outbox } from "./outbox.ts";
import type { ReplicaRecord, Store } from "./store.ts";

/** How long a process has to end after it was asked to. */
const STOP_GRACE_MS = 5_000;

/** One replica and what belongs to it. */
export interface PoolEntry {
  replica: Replica;
  readonly process: ManagedProcess;
  /** The way to it while it is attached. */
  outbox: Outbox<AttachResponse> | null;
  /** What may join as it: of the one-use join token before it registers, of the resume token after. */
  tokenHash: string;
  record: ReplicaRecord;
  /** The user's exception that it told of. */
  exception: Exception | null;
  /** Why it was ended, where that was decided here. */
  verdict: Fault | null;
  /** Whether its end was asked for. */
  stopping: boolean;
  constructorTimer: NodeJS.Timeout | null;
}

/** Settings of the pool. */
export interface PoolConfig {
  readonly root: string;
  /** Where replicas connect to. */
  readonly controlAddress: string;
  /** The address of the n-th replica of this controller. */
  readonly address: (number: number) => string;
  readonly constructorTimeoutMs: number;
}

/** What the pool tells. */
export interface PoolEvents {
  /** A replica's state has changed. */
  changed(backend: string): void;
  /** A replica is gone. */
  gone(entry: PoolEntry, livedMs: number): void;
}

/** The replicas of an instance. */
export class ReplicaPool {
  readonly entries = new Map<string, PoolEntry>();
  readonly #launcher: Launcher;
  readonly #store: Store;
  readonly #config: PoolConfig;
  readonly #events: PoolEvents;
  #number = 0;

  constructor(launcher: Launcher, store: Store, config: PoolConfig, events: PoolEvents) {
    this.#launcher = launcher;
    this.#store = store;
    this.#config = config;
    this.#events = events;
  }

  /** Replicas of a backend. */
  of(backend: string): Replica[] {
    const replicas: Replica[] = [];
    for (const { replica } of this.entries.values()) if (replica.backend === backend) replicas.push(replica);
    return replicas;
  }

  /** Starts one replica. Throws where its process cannot be started. */
  launch(spec: BackendSpec, generation: number, revision: number): void {
    const id = `${spec.name}-${randomBytes(4).toString("hex")}`;
    const address = this.#config.address(this.#number++);
    const joinToken = randomBytes(24).toString("base64url");
    const routingToken = randomBytes(24).toString("base64url");
    const boot = Boot.toJSON({
      replicaId: id,
      spec: backendSpecToProto(spec),
      generation,
      controlAddress: this.#config.controlAddress,
      listenAddress: address,
      joinToken,
      root: this.#config.root,
      routingToken,
    });
    const { handler } = spec;
    const process = this.#launcher.launch({
      id,
      program: handler.kind === "command" ? { command: handler.command } : "replica",
      boot,
      env: spec.config.env,
    });
    const startedAtMs = Date.now();
    const record: ReplicaRecord = {
      id,
      backend: spec.name,
      generation,
      pid: process.pid,
      processStart: process.start,
      address,
      resumeHash: "",
      routingHash: tokenHash(routingToken).toString("hex"),
      revision,
      startedAtMs,
    };
    const replica = launched({ id, backend: spec.name, generation, address, startedAtMs, pid: process.pid });
    this.#add({
      replica,
      process,
      outbox: null,
      tokenHash: tokenHash(joinToken).toString("hex"),
      record,
      exception: null,
      verdict: null,
      stopping: false,
      constructorTimer: null,
    });
    this.#store.putReplica(record);
  }

  /** Takes over the replicas of the controller before this one that still run. Returns their ids. */
  adopt(records: readonly ReplicaRecord[]): string[] {
    const adopted: string[] = [];
    for (const record of records) {
      const process = record.resumeHash === "" ? null : this.#launcher.adopt(record.pid, record.processStart);
      if (process === null) {
        // One that never registered has a token that nobody knows any more.
        if (record.resumeHash === "") this.#launcher.adopt(record.pid, record.processStart)?.kill("SIGKILL");
        this.#store.removeReplica(record.id);
        continue;
      }
      const { id, backend, generation, address, startedAtMs, pid } = record;
      const replica = launched({ id, backend, generation, address, startedAtMs, pid });
      this.#add({
        replica,
        process,
        outbox: null,
        tokenHash: record.resumeHash,
        record,
        exception: null,
        verdict: null,
        stopping: false,
        constructorTimer: null,
      });
      adopted.push(id);
    }
    return adopted;
  }

  /**
   * Admits a replica by its token. Gives the token for its next Resume: a new one for a join token, which is used up by it; the
   * same for a resume token, as the reply may be lost and the replica must be able to come again. Throws unauthenticated.
   */
  admit(id: string, token: string, outbox: Outbox<AttachResponse>): string {
    const entry = this.entries.get(id);
    if (entry === undefined || !tokenMatches(token, Buffer.from(entry.tokenHash, "hex"))) {
      throw new HeadgateError(fault("unauthenticated", "the controller expects no such replica, or not with this token"));
    }
    entry.outbox?.close();
    entry.outbox = outbox;
    if (entry.record.resumeHash !== "") return token;
    const resumeToken = randomBytes(24).toString("base64url");
    entry.tokenHash = tokenHash(resumeToken).toString("hex");
    entry.record = { ...entry.record, resumeHash: entry.tokenHash };
    this.#store.putReplica(entry.record);
    return resumeToken;
  }

  /** Whether a token is some replica's for the routing feed. */
  knowsRoutingToken(token: string): boolean {
    const hash = tokenHash(token).toString("hex");
    for (const { record } of this.entries.values()) if (record.routingHash === hash) return true;
    return false;
  }

  /** Something happened to a replica; several things at once are told of as one change. */
  event(id: string, ...events: readonly ReplicaEvent[]): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    const before = entry.replica;
    entry.replica = events.reduce(step, before);
    if (entry.replica.state !== "launching" && entry.replica.state !== "warming" && entry.constructorTimer !== null) {
      clearTimeout(entry.constructorTimer);
      entry.constructorTimer = null;
    }
    // How busy it is changes nothing that is planned by it at once.
    if (entry.replica !== before && events.some((event) => event.kind !== "load")) this.#events.changed(before.backend);
  }

  /** A replica's constructor threw. */
  failed(id: string, exception: Exception): void {
    const entry = this.entries.get(id);
    if (entry !== undefined) entry.exception = exception;
  }

  /** Says something to a replica; nothing where it is not attached in this moment. */
  say(id: string, kind: NonNullable<AttachResponse["kind"]>): boolean {
    const outbox = this.entries.get(id)?.outbox;
    outbox?.push({ kind });
    return outbox !== null && outbox !== undefined;
  }

  /** Ends a replica's process. */
  stop(id: string, force: boolean): void {
    const entry = this.entries.get(id);
    if (entry === undefined || (entry.stopping && !force)) return;
    entry.stopping = true;
    if (force) {
      entry.process.kill("SIGKILL");
      return;
    }
    if (!this.say(id, { $case: "stop", value: {} })) entry.process.kill("SIGTERM");
    setTimeout(() => entry.process.kill("SIGKILL"), STOP_GRACE_MS).unref();
  }

  #add(entry: PoolEntry): void {
    const { id, backend, startedAtMs } = entry.replica;
    this.entries.set(id, entry);
    entry.constructorTimer = setTimeout(() => {
      entry.verdict = fault(
        "constructor_timeout",
        `the handler of backend "${backend}" was not ready after ${this.#config.constructorTimeoutMs} ms`,
        {
          backend,
          limit: "constructorTimeoutMs",
        },
      );
      entry.process.kill("SIGKILL");
    }, this.#config.constructorTimeoutMs);
    void entry.process.exited.then((exit) => this.#exited(entry, exit, Date.now() - startedAtMs));
    this.#events.changed(backend);
  }

  #exited(entry: PoolEntry, exit: Exit, livedMs: number): void {
    const { id, backend, address } = entry.replica;
    if (entry.constructorTimer !== null) clearTimeout(entry.constructorTimer);
    entry.outbox?.close();
    this.entries.delete(id);
    if (address.startsWith("unix:")) rmSync(address.slice(5), { force: true });
    entry.replica = step(entry.replica, { kind: "gone", failure: entry.stopping ? null : failureOf(entry, exit) });
    try {
      this.#store.removeReplica(id);
    } catch {
      // A record of a process that is gone is found out at the next start.
    }
    this.#events.gone(entry, livedMs);
    this.#events.changed(backend);
  }
}

/** Why a replica that nobody ended has ended. */
function failureOf(entry: PoolEntry, exit: Exit): Fault {
  const { backend } = entry.replica;
  if (entry.verdict !== null) return entry.verdict;
  if (entry.exception !== null) return exceptionFault(backend, entry.exception, "constructor_failed", "the handler");
  const how = exit.signal !== null ? `was ended by ${exit.signal}` : exit.code === null ? "ended" : `ended with exit code ${exit.code}`;
  return fault("replica_exited", `a replica of backend "${backend}" ${how}; headgate logs ${backend} shows what it said`, { backend });
}

/** A user's exception as a fault for the operator. */
export function exceptionFault(backend: string, exception: Exception, usual: FaultCode, what: string): Fault {
  const code = isFaultCode(exception.code) ? exception.code : usual;
  const place = exception.file === "" ? "" : ` (${exception.file}${exception.line > 0 ? `:${exception.line}` : ""})`;
  const details: Record<string, string> = { backend, exception: exception.name, message: exception.message.slice(0, 1024) };
  if (exception.file !== "") Object.assign(details, { file: exception.file.slice(0, 1024), line: String(exception.line) });
  const named = exception.name === "HeadgateError" ? exception.message : `${exception.name}: ${exception.message}`;
  const message = code === usual ? `${what} of backend "${backend}" threw ${named}${place}` : exception.message;
  return fault(code, message, details);
}

// The store of an instance: one SQLite file in the state directory, written with full synchronisation, held by one controller.
// Each row carries a checksum: damaged state is named, never guessed. No queries but by key.

import { createHash, randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HeadgateError, LIMITS, fault, parseEndpointSpec } from "@headgate/core";
import type { Desired, DesiredBackend, DesiredEndpoint } from "./model/desired.ts";
import type { BridgeRecord, RememberedRequest, ReplicaRecord, Store, Stored } from "./store.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS rows (kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, sum TEXT NOT NULL, PRIMARY KEY (kind, name)) STRICT;
  CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, hash TEXT NOT NULL, response BLOB NOT NULL, seq INTEGER NOT NULL) STRICT;
`;
/** Grows with a change to the tables. */
const SCHEMA_VERSION = 1;

type Kind = "backend" | "endpoint" | "replica" | "bridge";

/**
 * Opens the store in a file. `holder` says which process has it, where that is known. Throws state_dir_in_use,
 * state_dir_unusable or store_corrupt.
 */
export function openSqliteStore(file: string, holder: () => number | null = () => null): Store {
  const db = openDatabase(file, holder);
  try {
    return new SqliteStore(db, file);
  } catch (error) {
    db.close();
    throw error;
  }
}

function openDatabase(file: string, holder: () => number | null): DatabaseSync {
  let db: DatabaseSync | null = null;
  try {
    db = new DatabaseSync(file, { timeout: 0 });
    // Exclusive: a second controller on the same directory fails here and not later.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
    db.exec("BEGIN IMMEDIATE");
    db.exec(SCHEMA);
    db.exec("COMMIT");
    return db;
  } catch (error) {
    db?.close();
    throw openFailure(file, error, holder);
  }
}

function openFailure(file: string, error: unknown, holder: () => number | null): HeadgateError {
  const code = typeof error === "object" && error !== null && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  const why = error instanceof Error ? error.message : String(error);
  // SQLite's result codes: 5 BUSY, 11 CORRUPT, 26 NOTADB.
  if (code === 5) {
    const pid = holder();
    const who = pid === null ? "another instance" : `another instance (process ${pid})`;
    const message = `${who} runs on the state directory ${dirname(file)}; end it, or give another directory with --state-dir`;
    return new HeadgateError(fault("state_dir_in_use", message, { file, ...(pid === null ? {} : { pid: String(pid) }) }), { cause: error });
  }
  if (code === 11 || code === 26)
    return new HeadgateError(fault("store_corrupt", `${file} is damaged (${why}); move it away to start anew`, { file }), { cause: error });
  return new HeadgateError(fault("state_dir_unusable", `${file} cannot be opened: ${why}`, { file }), { cause: error });
}

class SqliteStore implements Store {
  readonly stored: Stored;
  readonly #db: DatabaseSync;
  readonly #file: string;
  #seq: number;

  constructor(db: DatabaseSync, file: string) {
    this.#db = db;
    this.#file = file;
    const version = this.#meta("schema") ?? String(SCHEMA_VERSION);
    if (version !== String(SCHEMA_VERSION)) {
      throw new HeadgateError(
        fault("store_corrupt", `${file} was written by a Headgate with another schema (${version}, here ${SCHEMA_VERSION})`, { file }),
      );
    }
    const epoch = this.#meta("epoch") ?? randomUUID();
    const incarnation = Number(this.#meta("incarnation") ?? "0") + 1;
    this.#write(() => {
      this.#setMeta("schema", version);
      this.#setMeta("epoch", epoch);
      this.#setMeta("incarnation", String(incarnation));
    });
    // Written by this class from values of these types, and unchanged since: the checksums say so.
    const desired: Desired = {
      revision: Number(this.#meta("revision") ?? "0"),
      backends: new Map(this.#rows("backend") as [string, DesiredBackend][]),
      endpoints: new Map(this.#rows("endpoint").map(([name, body]) => [name, this.#endpoint(name, body as DesiredEndpoint)])),
    };
    this.stored = {
      epoch,
      incarnation,
      desired,
      replicas: this.#rows("replica").map(([, body]) => body as ReplicaRecord),
      bridges: this.#rows("bridge").map(([, body]) => body as BridgeRecord),
    };
    this.#seq = Number(this.#db.prepare("SELECT coalesce(max(seq), 0) AS seq FROM requests").get()?.seq ?? 0);
  }

  commit(before: Desired, after: Desired): void {
    this.#write(() => {
      this.#setMeta("revision", String(after.revision));
      this.#sync("backend", before.backends, after.backends);
      this.#sync("endpoint", before.endpoints, after.endpoints);
    });
  }

  putReplica(record: ReplicaRecord): void {
    this.#write(() => this.#put("replica", record.id, record));
  }

  removeReplica(id: string): void {
    this.#write(() => this.#remove("replica", id));
  }

  putBridge(record: BridgeRecord): void {
    this.#write(() => this.#put("bridge", record.id, record));
  }

  removeBridge(id: string): void {
    this.#write(() => this.#remove("bridge", id));
  }

  request(id: string): RememberedRequest | null {
    const row = this.#db.prepare("SELECT hash, response FROM requests WHERE id = ?").get(id);
    return row === undefined ? null : { hash: String(row.hash), response: row.response as Uint8Array };
  }

  remember(id: string, { hash, response }: RememberedRequest): void {
    this.#write(() => {
      this.#seq++;
      this.#db.prepare("INSERT OR REPLACE INTO requests (id, hash, response, seq) VALUES (?, ?, ?, ?)").run(id, hash, response, this.#seq);
      this.#db.prepare("DELETE FROM requests WHERE seq <= ?").run(this.#seq - LIMITS.rememberedRequestIds);
    });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #write(work: () => void): void {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      const why = error instanceof Error ? error.message : String(error);
      throw new HeadgateError(
        fault("store_unavailable", `the state cannot be written (${why}); nothing was changed`, { file: this.#file }),
        { cause: error },
      );
    }
  }

  #meta(key: string): string | null {
    const row = this.#db.prepare("SELECT value FROM meta WHERE key = ?").get(key);
    return row === undefined ? null : String(row.value);
  }

  #setMeta(key: string, value: string): void {
    this.#db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)").run(key, value);
  }

  #rows(kind: Kind): [string, unknown][] {
    return this.#db
      .prepare("SELECT name, body, sum FROM rows WHERE kind = ? ORDER BY name")
      .all(kind)
      .map((row) => {
        const name = String(row.name);
        const body = String(row.body);
        if (checksum(kind, name, body) !== row.sum) {
          throw new HeadgateError(
            fault("store_corrupt", `${kind} "${name}" in ${this.#file} is damaged; restore the file or move it away to start anew`, {
              file: this.#file,
            }),
          );
        }
        return [name, JSON.parse(body)];
      });
  }

  /** An endpoint as stored; settings that its writer did not know yet have their defaults. */
  #endpoint(name: string, { spec, revision }: DesiredEndpoint): DesiredEndpoint {
    const complete = parseEndpointSpec(spec);
    if (complete.ok) return { spec: complete.value, revision };
    const { message } = complete.error;
    throw new HeadgateError(fault("store_corrupt", `endpoint "${name}" in ${this.#file} cannot be read: ${message}`, { file: this.#file }));
  }

  #sync(kind: Kind, before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): void {
    for (const [name, body] of after) if (before.get(name) !== body) this.#put(kind, name, body);
    for (const name of before.keys()) if (!after.has(name)) this.#remove(kind, name);
  }

  #put(kind: Kind, name: string, value: unknown): void {
    const body = JSON.stringify(value);
    this.#db
      .prepare("INSERT OR REPLACE INTO rows (kind, name, body, sum) VALUES (?, ?, ?, ?)")
      .run(kind, name, body, checksum(kind, name, body));
  }

  #remove(kind: Kind, name: string): void {
    this.#db.prepare("DELETE FROM rows WHERE kind = ? AND name = ?").run(kind, name);
  }
}

function checksum(kind: Kind, name: string, body: string): string {
  return createHash("sha256").update(`${kind}\0${name}\0${body}`).digest("hex").slice(0, 32);
}

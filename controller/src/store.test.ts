// One table of cases over every store, and what only the file-backed one can show: locks and damage.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test } from "@jest/globals";
import { LIMITS, parseBackendSpec, parseEndpointSpec } from "@headgate/core";
import { newMemory, openMemoryStore } from "./memory-store.ts";
import { type Command, type Desired, NOTHING_DESIRED, decide } from "./model/desired.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { BridgeRecord, ReplicaRecord, Store } from "./store.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function newFile(): string {
  const directory = mkdtempSync(join(tmpdir(), "headgate-store-"));
  directories.push(directory);
  return join(directory, "state.db");
}

function decideAll(desired: Desired, ...commands: readonly Command[]): Desired {
  return commands.reduce((state, command) => {
    const decided = decide(state, command);
    if (!decided.ok) throw new Error(decided.error.message);
    return decided.value;
  }, desired);
}

const spec = parseBackendSpec({
  name: "b",
  handler: { kind: "module", path: "./m.ts", exportName: "f" },
  args: [1, "ä"],
  config: { userConfig: { deep: [null] } },
});
if (!spec.ok) throw new Error(spec.error.message);
const endpoint = parseEndpointSpec({ name: "e", route: "/e", traffic: [{ backend: "b", weight: 1 }] });
if (!endpoint.ok) throw new Error(endpoint.error.message);
const FULL = decideAll(
  NOTHING_DESIRED,
  { kind: "createBackend", spec: spec.value },
  { kind: "rolledOut", name: "b", generation: 1 },
  { kind: "createEndpoint", spec: endpoint.value },
);
const REPLICA: ReplicaRecord = {
  id: "b-1",
  backend: "b",
  generation: 1,
  pid: 7,
  processStart: "99",
  address: "unix:/r",
  resumeHash: "",
  routingHash: "ef",
  revision: 1,
  startedAtMs: 5,
};
const BRIDGE: BridgeRecord = { id: "bridge-1", pid: 8, processStart: "98", tokenHash: "ab", httpHost: "127.0.0.1", httpPort: 80 };

const KINDS: readonly [string, () => () => Store][] = [
  [
    "memory",
    () => {
      const memory = newMemory("epoch");
      return () => openMemoryStore(memory);
    },
  ],
  [
    "sqlite",
    () => {
      const file = newFile();
      return () => openSqliteStore(file);
    },
  ],
];

describe.each(KINDS)("a %s store", (_kind, make) => {
  test("begins with nothing", () => {
    using store = make()();
    expect(store.stored).toMatchObject({ incarnation: 1, desired: NOTHING_DESIRED, replicas: [], bridges: [] });
  });

  test("gives back what was committed, with the same epoch and the next incarnation", () => {
    const open = make();
    const first = open();
    const { epoch } = first.stored;
    first.commit(NOTHING_DESIRED, FULL);
    first[Symbol.dispose]();
    using second = open();
    expect(second.stored).toMatchObject({ epoch, incarnation: 2 });
    expect(JSON.stringify([...second.stored.desired.backends])).toBe(JSON.stringify([...FULL.backends]));
    expect(second.stored.desired).toEqual(FULL);
  });

  test("forgets what was removed", () => {
    const open = make();
    const first = open();
    first.commit(NOTHING_DESIRED, FULL);
    const less = decideAll(FULL, { kind: "deleteEndpoint", name: endpoint.value.name }, { kind: "deleteBackend", name: spec.value.name });
    first.commit(FULL, less);
    first[Symbol.dispose]();
    using second = open();
    expect(second.stored.desired).toEqual(less);
  });

  test("keeps, replaces and removes records of processes", () => {
    const open = make();
    const first = open();
    first.putReplica(REPLICA);
    first.putReplica({ ...REPLICA, resumeHash: "cd" });
    first.putReplica({ ...REPLICA, id: "b-2" });
    first.removeReplica("b-2");
    first.putBridge(BRIDGE);
    first.putBridge({ ...BRIDGE, id: "bridge-2" });
    first.removeBridge("bridge-2");
    first[Symbol.dispose]();
    using second = open();
    expect(second.stored).toMatchObject({ replicas: [{ ...REPLICA, resumeHash: "cd" }], bridges: [BRIDGE] });
  });

  test("remembers answers to request ids, and forgets the oldest", () => {
    using store = make()();
    const answer = (n: number) => ({ hash: `h${n}`, response: Uint8Array.of(n & 255) });
    for (let n = 0; n <= LIMITS.rememberedRequestIds; n++) store.remember(`id${n}`, answer(n));
    expect(store.request("id0")).toBeNull();
    expect(store.request("never")).toBeNull();
    expect(store.request("id1")?.hash).toBe("h1");
    expect([...(store.request("id7")?.response ?? [])]).toEqual([7]);
  });
});

test("a second store on the same file is refused, and the refusal names the process that has it", () => {
  const file = newFile();
  using _first = openSqliteStore(file);
  expect(() => openSqliteStore(file, () => 4242)).toThrow(
    expect.objectContaining({ code: "state_dir_in_use", details: expect.objectContaining({ pid: "4242" }) }),
  );
});

test("an endpoint that was stored without settings that came later has their defaults", () => {
  const file = newFile();
  const store = openSqliteStore(file);
  const kept = new Map(
    [...FULL.endpoints].map(
      ([
        name,
        {
          spec: { cors: _cors, matches: _matches, ...old },
          revision,
        },
      ]) => [name, { spec: old, revision }],
    ),
  );
  // What an older writer left: fewer fields than the type has.
  store.commit(NOTHING_DESIRED, { ...FULL, endpoints: kept as unknown as typeof FULL.endpoints });
  store[Symbol.dispose]();
  using again = openSqliteStore(file);
  expect(again.stored.desired.endpoints).toEqual(FULL.endpoints);
});

test("a row that was changed behind its back is named, not guessed", () => {
  const file = newFile();
  const store = openSqliteStore(file);
  store.commit(NOTHING_DESIRED, FULL);
  store[Symbol.dispose]();
  const db = new DatabaseSync(file);
  db.exec(`UPDATE rows SET body = replace(body, './m.ts', './x.ts')`);
  db.close();
  expect(() => openSqliteStore(file)).toThrow(
    expect.objectContaining({ code: "store_corrupt", message: expect.stringContaining('backend "b"') }),
  );
});

test("a file that is no store at all is named", async () => {
  const file = newFile();
  const { writeFileSync } = await import("node:fs");
  writeFileSync(file, "not a database at all, whatever its name says".repeat(100));
  expect(() => openSqliteStore(file)).toThrow(expect.objectContaining({ code: "store_corrupt" }));
});

// What a machine can refuse at a start: ports taken, a state directory that cannot be used or is in use, an address open to
// the network, a Node that is too old. Each has one clear line, and nothing is left running.

import { chmod, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { type AddressInfo, type Server, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type StartOptions, start } from "headgate";
import { REPOSITORY, type TestInstance, alive, runNode, startInstance, temporaryFolder } from "../support/instance.ts";

const FREE_PORTS = { httpPort: 0, controlPort: 0, adminPort: 0 };

let instance: TestInstance;
let taken: Server;
beforeAll(async () => {
  instance = await startInstance();
  await instance.serve.createBackend("good", () => "good");
  await instance.serve.createEndpoint("good", { backend: "good", route: "/good" });
  taken = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => taken.once("listening", done));
});
afterAll(async () => {
  taken?.close();
  await instance?.[Symbol.asyncDispose]();
});

const takenPort = (): number => (taken.address() as AddressInfo).port; // it listens on a port, not on a path

/** The error of a start that must be refused. */
async function refusedStart(options: StartOptions): Promise<{ readonly code: string; readonly message: string }> {
  await using folder = await temporaryFolder();
  const error: unknown = await start({ ...FREE_PORTS, root: folder.path, stateDir: join(folder.path, ".headgate"), ...options }).then(
    async (started) => {
      await started.shutdown({ force: true });
    },
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error("it started");
  // Every refusal of the package is a HeadgateError; anything else fails at the expectations that follow.
  const { code, message } = error as { code: string; message: string };
  expect(message).toMatch(/^[^\n]{10,}$/);
  return { code, message };
}

describe("a port that is taken is named", () => {
  test.each(["httpPort", "controlPort", "adminPort"] as const)("%s", async (name) => {
    const port = takenPort();
    const { code, message } = await refusedStart({ [name]: port });
    expect(code).toBe("port_taken");
    expect(message).toContain(String(port));
  });

  test("by another instance's HTTP too", async () => {
    const { code } = await refusedStart({ httpPort: Number(new URL(instance.serve.httpUrl).port) });
    expect(code).toBe("port_taken");
    expect(await instance.text("/good")).toBe("good");
  });
});

test("a refused start leaves no word of an instance behind, and its directory free for another", async () => {
  await using folder = await temporaryFolder();
  const stateDir = join(folder.path, ".headgate");
  await expect(start({ ...FREE_PORTS, root: folder.path, stateDir, httpPort: takenPort() })).rejects.toMatchObject({ code: "port_taken" });
  expect(await readdir(stateDir)).not.toContain("instance.json");
  // The same directory is free for a start that can be.
  const started = await start({ ...FREE_PORTS, root: folder.path, stateDir });
  const { controller, bridges } = await started.status();
  expect(bridges.map(({ state }) => state)).toEqual(["serving"]);
  await started.shutdown();
  expect(alive(controller.pid)).toBe(false);
});

test("a state directory that is a file is refused by its path", async () => {
  await using folder = await temporaryFolder();
  const stateDir = join(folder.path, "file");
  await writeFile(stateDir, "not a directory");
  const { code, message } = await refusedStart({ stateDir });
  expect(code).toBe("state_dir_unusable");
  expect(message).toContain(stateDir);
});

test("a state directory below a file is refused by its path", async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "file"), "");
  expect(await refusedStart({ stateDir: join(folder.path, "file", "state") })).toMatchObject({ code: "state_dir_unusable" });
});

test("a state directory that cannot be written is refused by its path", async () => {
  await using folder = await temporaryFolder();
  const parent = join(folder.path, "locked");
  await mkdir(parent, { mode: 0o500 });
  // Whoever is root may write everywhere; a path of the kernel's takes nothing from root either.
  const stateDir = process.getuid?.() === 0 ? "/proc/headgate-state" : join(parent, "state");
  const { code, message } = await refusedStart({ stateDir });
  await chmod(parent, 0o700);
  expect(code).toBe("state_dir_unusable");
  expect(message).toContain(stateDir);
});

test("a state directory with a token that is none is refused and says what to do", async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "token"), "short");
  const { code, message } = await refusedStart({ stateDir: folder.path });
  expect(code).toBe("state_dir_unusable");
  expect(message).toMatch(/token.*delete it/);
});

test("a damaged store is named and never guessed", async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "state.db"), "this is no database, whatever its name says ".repeat(200));
  const { code, message } = await refusedStart({ stateDir: folder.path });
  expect(code).toBe("store_corrupt");
  expect(message).toContain("state.db");
  expect(await readFile(join(folder.path, "state.db"), "utf8")).toContain("this is no database");
});

test("a second start on the same directory is refused and the first goes on", async () => {
  const { code, message } = await refusedStart({ stateDir: instance.stateDir });
  expect(code).toBe("state_dir_in_use");
  expect(message).toContain(instance.stateDir);
  expect(await instance.text("/good")).toBe("good");
  expect(await instance.serve.listBackends()).toHaveProperty("good");
});

test("an address that is open to the network is refused", async () => {
  expect(await refusedStart({ httpHost: "0.0.0.0" })).toMatchObject({ code: "bind_refused" });
});

test.each([
  ["httpPort", 70_000],
  ["bridges", 0],
  ["bridges", 1.5],
])("a setting out of its bounds is refused: %s %p", async (name, value) => {
  expect(await refusedStart({ [name]: value })).toMatchObject({ code: "invalid_argument" });
});

test("an unknown option is refused by its name", async () => {
  // What a caller in JavaScript can pass, whatever the types say.
  expect(await refusedStart({ httPort: 1 } as StartOptions)).toMatchObject({
    code: "unknown_field",
    message: expect.stringContaining("httPort"),
  });
});

test("a Node that is too old gets one clear line, where no newer one was installed", async () => {
  await using folder = await temporaryFolder();
  // The command alone, with no dependencies beside it, told that it runs on an old Node.
  await mkdir(join(folder.path, "bin"));
  await writeFile(join(folder.path, "bin", "headgate.mjs"), await readFile(join(REPOSITORY, "cli", "bin", "headgate.mjs")));
  await writeFile(
    join(folder.path, "old.mjs"),
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.19.0" } });\n',
  );
  const { code, stdout, stderr } = await runNode(
    ["--import", join(folder.path, "old.mjs"), join(folder.path, "bin", "headgate.mjs"), "status"],
    { cwd: folder.path },
  );
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^headgate: [^\n]*needs Node 24 or newer; this is 20\.19\.0[^\n]*\n$/);
});

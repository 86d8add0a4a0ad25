import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { discover, isAlive } from "./discover.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "headgate-discover-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** A state directory as a running instance leaves it. */
async function instanceIn(dir: string, controlAddress: string, pid = process.pid): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "instance.json"), JSON.stringify({ pid, controlAddress }));
  await writeFile(join(dir, "token"), `token of ${controlAddress}\n`);
}

test("the nearest state directory upwards is found, with its token", async () => {
  await instanceIn(join(home, ".headgate"), "127.0.0.1:1");
  const deep = join(home, "a", "b");
  await mkdir(deep, { recursive: true });
  expect(await discover({}, { env: {}, cwd: deep })).toMatchObject({ address: "127.0.0.1:1", token: "token of 127.0.0.1:1" });
  await instanceIn(join(home, "a", ".headgate", "dev"), "127.0.0.1:2");
  expect(await discover({}, { env: {}, cwd: deep })).toMatchObject({ address: "127.0.0.1:2" });
});

test("what the caller says goes before the environment, and that before the search", async () => {
  await instanceIn(join(home, "one"), "127.0.0.1:1");
  await instanceIn(join(home, "two"), "127.0.0.1:2");
  const env = { HEADGATE_STATE_DIR: "two" };
  expect(await discover({}, { env, cwd: home })).toMatchObject({ address: "127.0.0.1:2" });
  expect(await discover({ stateDir: "one" }, { env, cwd: home })).toMatchObject({ address: "127.0.0.1:1" });
  const remote = { HEADGATE_CONTROL_ADDRESS: "10.0.0.1:8001", HEADGATE_TOKEN: "t" };
  expect(await discover({}, { env: remote, cwd: home })).toMatchObject({ address: "10.0.0.1:8001", token: "t", stateDir: null });
});

test("a token goes to no other address than that of the instance that made it", async () => {
  await instanceIn(join(home, ".headgate"), "127.0.0.1:1");
  expect(await discover({ address: "127.0.0.1:1" }, { env: {}, cwd: home })).toMatchObject({ token: "token of 127.0.0.1:1" });
  await expect(discover({ address: "10.0.0.1:1" }, { env: {}, cwd: home })).rejects.toMatchObject({ code: "unauthenticated" });
});

test("where there is no instance, or one that has ended, the way to start one is told", async () => {
  const none = discover({ stateDir: "x" }, { env: {}, cwd: home });
  await expect(none).rejects.toMatchObject({ code: "controller_unavailable", message: expect.stringContaining("npx headgate start") });
  await instanceIn(join(home, ".headgate"), "127.0.0.1:1", 2 ** 22 + 1);
  await expect(discover({}, { env: {}, cwd: home })).rejects.toMatchObject({ message: expect.stringContaining("does not run any more") });
});

test("a damaged file is named", async () => {
  await mkdir(join(home, ".headgate"));
  await writeFile(join(home, ".headgate", "instance.json"), "{");
  await expect(discover({}, { env: {}, cwd: home })).rejects.toMatchObject({
    message: expect.stringContaining("instance.json is damaged"),
  });
});

(process.platform === "linux" ? test : test.skip)("a process that ended counts as ended, even while nobody has waited for it", async () => {
  // The shell becomes another program, which knows nothing of the child that it has.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 5"], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [line]: unknown[] = await once(parent.stdout, "data");
    for (let waitedMs = 0; isAlive(Number(line)) && waitedMs < 4000; waitedMs += 20) await sleep(20);
    expect(isAlive(Number(line))).toBe(false);
    expect(isAlive(process.pid)).toBe(true);
  } finally {
    parent.kill();
  }
});

// Where the instance is and what opens it: an address and its control token, from what the caller says, the environment,
// or the state directory of an instance on this machine. No connection is made here.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HeadgateError, fault } from "@headgate/core";

/** What the caller may say of the instance; what is not said is looked for. */
export interface InstanceHints {
  /** Control address, such as "127.0.0.1:8001". */
  readonly address?: string | undefined;
  /** The instance's control token. */
  readonly token?: string | undefined;
  /** The instance's state directory. */
  readonly stateDir?: string | undefined;
}

/** The surroundings in which an instance is looked for. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** How to reach an instance. */
export interface InstanceLocation {
  /** Control address, such as "127.0.0.1:8001". */
  readonly address: string;
  readonly token: string;
  /** Null where the address was given and no state directory belongs to it. */
  readonly stateDir: string | null;
  /** The controller's process where it runs on this machine. */
  readonly pid: number | null;
}

interface InstanceFile {
  readonly pid: number;
  readonly controlAddress: string;
}

const unavailable = (message: string): HeadgateError => new HeadgateError(fault("controller_unavailable", message));

/** Finds the instance. Rejects with controller_unavailable or unauthenticated, saying what to do. */
export async function discover(hints: InstanceHints, { env, cwd }: Surroundings): Promise<InstanceLocation> {
  const address = hints.address ?? given(env.HEADGATE_CONTROL_ADDRESS);
  const token = hints.token ?? given(env.HEADGATE_TOKEN);
  const stateDir = hints.stateDir ?? given(env.HEADGATE_STATE_DIR);
  if (address !== undefined && token !== undefined) return { address, token, stateDir: null, pid: null };

  const candidates = stateDir === undefined ? searchedDirs(cwd) : [resolve(cwd, stateDir)];
  let ended: string | undefined;
  for (const dir of candidates) {
    const instance = await readInstance(dir);
    if (instance === undefined) continue;
    // A token goes to the instance that made it and to no other address.
    if (address !== undefined && instance.controlAddress !== address) continue;
    if (!isAlive(instance.pid)) {
      ended ??= dir;
      continue;
    }
    return {
      address: instance.controlAddress,
      token: token ?? (await readToken(dir)),
      stateDir: dir,
      pid: instance.pid,
    };
  }
  if (address !== undefined) {
    throw new HeadgateError(
      fault("unauthenticated", `no token for ${address} is known: set HEADGATE_TOKEN, or name the instance's state directory`),
    );
  }
  if (ended !== undefined) {
    throw unavailable(`the instance in ${ended} does not run any more – start it again with: npx headgate start`);
  }
  const where = stateDir === undefined ? `${cwd} or above it` : resolve(cwd, stateDir);
  throw unavailable(`no instance found in ${where} – start one with: npx headgate start`);
}

const given = (value: string | undefined): string | undefined => (value === "" ? undefined : value);

/** The state directories of this directory and of all above it, the nearest first. */
function searchedDirs(cwd: string): readonly string[] {
  const dirs: string[] = [];
  for (let dir = resolve(cwd); ; dir = dirname(dir)) {
    dirs.push(join(dir, ".headgate"), join(dir, ".headgate", "dev"));
    if (dirname(dir) === dir) return dirs;
  }
}

async function readInstance(dir: string): Promise<InstanceFile | undefined> {
  let text: string;
  try {
    text = await readFile(join(dir, "instance.json"), "utf8");
  } catch {
    return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unavailable(`${join(dir, "instance.json")} is damaged; end the instance and start it again`);
  }
  if (typeof value !== "object" || value === null) return undefined;
  const pid: unknown = Reflect.get(value, "pid");
  const controlAddress: unknown = Reflect.get(value, "controlAddress");
  return typeof pid === "number" && typeof controlAddress === "string" ? { pid, controlAddress } : undefined;
}

async function readToken(dir: string): Promise<string> {
  try {
    return (await readFile(join(dir, "token"), "utf8")).trim();
  } catch {
    throw new HeadgateError(
      fault(
        "unauthenticated",
        `the token in ${join(dir, "token")} cannot be read: use the account that started the instance, or set HEADGATE_TOKEN`,
      ),
    );
  }
}

/** Whether a process runs. One that has ended and that nobody has waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return Reflect.get(Object(error), "code") === "EPERM";
  }
  try {
    // The state follows the program's name, which stands in parentheses and may hold any character.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z";
  } catch {
    return true;
  }
}

/** How long a controller that has said goodbye may take to be gone. */
const END_TIMEOUT_MS = 10_000;

/** Waits until a process of this machine has ended, for a while; null: one that cannot be seen from here. */
export async function processEnd(pid: number | null): Promise<void> {
  for (let waitedMs = 0; pid !== null && isAlive(pid) && waitedMs < END_TIMEOUT_MS; waitedMs += 20) await sleep(20);
}

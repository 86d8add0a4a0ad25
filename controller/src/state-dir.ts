// The state directory: made with the right modes, its token, the addresses of its sockets, and the file that tells of the instance.

import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { HeadgateError, fault } from "@headgate/core";

/** Paths of a state directory. */
export interface StateDir {
  readonly path: string;
  readonly storeFile: string;
  readonly logDir: string;
  readonly cacheDir: string;
  /** Directory of the unix sockets. */
  readonly runDir: string;
  /** The control token. */
  readonly token: string;
}

/** What `instance.json` says of a running instance. */
export interface InstanceFile {
  readonly pid: number;
  readonly version: string;
  readonly controlAddress: string;
  readonly httpUrl: string;
  /** Null: not served. */
  readonly h2cUrl: string | null;
  /** Null: not served. */
  readonly httpsUrl: string | null;
  readonly adminUrl: string;
  readonly root: string;
  readonly startedAtMs: number;
}

/** The longest socket path that every system takes, with the longest name of ours in it. */
const MOST_SOCKET_DIR = 100 - "/r-zzzzzz-zzzzzz.sock".length;

/** Makes a state directory ready. Throws state_dir_unusable. */
export function openStateDir(path: string): StateDir {
  try {
    makeDirectory(path);
    const real = realpathSync(path);
    chmodSync(real, 0o700);
    const made = (name: string): string => {
      const directory = join(real, name);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return directory;
    };
    return {
      path: real,
      storeFile: join(real, "state.db"),
      logDir: made("logs"),
      cacheDir: made("cache"),
      runDir: runDirOf(real, made),
      token: tokenOf(join(real, "token")),
    };
  } catch (error) {
    if (error instanceof HeadgateError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new HeadgateError(
      fault("state_dir_unusable", `the state directory ${path} cannot be used: ${why}; give another one with --state-dir`, {
        stateDir: path,
      }),
      { cause: error },
    );
  }
}

/** Step by step: Node's own recursion never ends in file systems such as /proc, where a directory that is there takes none. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function runDirOf(real: string, made: (name: string) => string): string {
  const inside = join(real, "run");
  if (Buffer.byteLength(inside) <= MOST_SOCKET_DIR) return made("run");
  // The path of a unix socket has about 100 bytes on every system.
  const name = `headgate-${userInfo().uid}-${createHash("sha256").update(real).digest("hex").slice(0, 12)}`;
  const outside = join(tmpdir(), name);
  mkdirSync(outside, { recursive: true, mode: 0o700 });
  chmodSync(outside, 0o700);
  return outside;
}

function tokenOf(file: string): string {
  try {
    const token = readFileSync(file, "utf8").trim();
    if (token.length >= 32) return token;
    throw new HeadgateError(fault("state_dir_unusable", `${file} holds no valid token; delete it to have a new one made`, { file }));
  } catch (error) {
    if (error instanceof HeadgateError || !(error instanceof Error) || !("code" in error) || error.code !== "ENOENT") throw error;
  }
  const token = randomBytes(32).toString("base64url");
  writeFileSync(file, `${token}\n`, { mode: 0o600, flag: "wx" });
  return token;
}

/** Tells where the instance is, all at once. */
export function writeInstanceFile(dir: StateDir, instance: InstanceFile): void {
  const file = join(dir.path, "instance.json");
  writeFileSync(`${file}.new`, `${JSON.stringify(instance, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Process of the instance that says it runs here; null: none does. */
export function instancePid(dir: StateDir): number | null {
  try {
    const instance: unknown = JSON.parse(readFileSync(join(dir.path, "instance.json"), "utf8"));
    const pid: unknown = typeof instance === "object" && instance !== null ? Reflect.get(instance, "pid") : null;
    return typeof pid === "number" ? pid : null;
  } catch {
    return null;
  }
}

/** The instance has ended. */
export function removeInstanceFile(dir: StateDir): void {
  rmSync(join(dir.path, "instance.json"), { force: true });
}

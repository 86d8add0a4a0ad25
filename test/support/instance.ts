// A real instance for scenario tests: own temporary root and state directory, free ports, real processes.
// What tests ask of it goes through the public package and plain HTTP; nothing here knows how it works inside.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { type Socket, connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Instance, type StartOptions, start } from "headgate";

/** The repository's folder. */
export const REPOSITORY = join(import.meta.dirname, "..", "..");

/** How long waitFor waits at most: a bound against hanging, never a claim about speed. */
const PATIENCE_MS = 30_000;

export interface TestInstanceOptions extends StartOptions {
  /** Files written to the root before the start, text by relative path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Environment of the controller beside the test's own, such as HEADGATE_CONSTRUCTOR_TIMEOUT_MS. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running instance with what tests need around it. */
export interface TestInstance extends AsyncDisposable {
  /** The API; another object after restart(). */
  readonly serve: Instance;
  /** Where module paths start. */
  readonly root: string;
  readonly stateDir: string;
  /** Fetches a path of its HTTP. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The text at a path of its HTTP. */
  text(path: string, init?: RequestInit): Promise<string>;
  /** Pids of a backend's replicas that serve, sorted. */
  replicaPids(backend: string): Promise<readonly number[]>;
  /** Starts a controller anew on the same state directory, as after its death. */
  restart(options?: StartOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A folder of its own that is removed in the end. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "headgate-test-")));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Starts an instance. Ends it, by force and with all its processes, when disposed of. */
export async function startInstance({ files = {}, env = {}, ...options }: TestInstanceOptions = {}): Promise<TestInstance> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, name)), { recursive: true });
    await writeFile(join(folder.path, name), text);
  }
  const root = options.root ?? folder.path;
  const stateDir = options.stateDir ?? join(folder.path, ".headgate");
  const startHere = async (more: StartOptions = {}): Promise<Instance> => {
    const before = Object.entries(env).map(([name]) => [name, process.env[name]] as const);
    Object.assign(process.env, env);
    try {
      return await start({ httpPort: 0, controlPort: 0, adminPort: 0, ...options, root, stateDir, ...more });
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  };
  let serve: Instance;
  try {
    serve = await startHere();
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  return {
    get serve() {
      return serve;
    },
    root,
    stateDir,
    fetch: (path, init) => fetch(`${serve.httpUrl}${path}`, init),
    text: async (path, init) => (await fetch(`${serve.httpUrl}${path}`, init)).text(),
    async replicaPids(backend) {
      const { replicas } = await serve.getBackend(backend);
      return replicas.flatMap(({ state, pid }) => (state === "serving" && pid !== null ? [pid] : [])).sort((a, b) => a - b);
    },
    async restart(more) {
      // Its controller is gone, so there is nothing to shut down; what is open here is let go of.
      await serve.close().catch(() => undefined);
      serve = await startHere(more);
    },
    async [Symbol.asyncDispose]() {
      // Where a test has left no controller, a new one adopts what still runs, so that it can be ended.
      await serve.shutdown({ force: true }).catch(async () => (await startHere()).shutdown({ force: true }));
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Polls until the probe gives something other than undefined, null or false; rejects after a generous bound. */
export async function waitFor<T>(what: string, probe: () => Promise<T> | T): Promise<Exclude<T, undefined | null | false>> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await probe();
    // The three values that mean "not yet" are excluded by the test before the cast.
    if (value !== undefined && value !== null && value !== false) return value as Exclude<T, undefined | null | false>;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Whether a process runs. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Opens a plain TCP connection to a URL's host and port. */
export function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host: hostname, port: Number(port) }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Sends bytes as they are and resolves with all that comes back until the other side closes. */
export async function sendRaw(url: string, bytes: string | Uint8Array): Promise<string> {
  const socket = await openSocket(url);
  const pieces: Buffer[] = [];
  return new Promise((resolve, reject) => {
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no end of the answer to ${String(bytes).slice(0, 80)}`)));
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    // A reset after the answer is how some servers end a connection they do not trust.
    socket.on("error", (error) => (pieces.length > 0 ? undefined : reject(error)));
    socket.on("close", () => resolve(Buffer.concat(pieces).toString("latin1")));
    socket.write(bytes);
  });
}

/** What a finished child process left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a handler has written to a file of the root; null: nothing yet. An empty one is being written. */
export async function written(instance: TestInstance, file: string): Promise<string | null> {
  return (await readFile(join(instance.root, file), "utf8").catch(() => "")) || null;
}

/** Runs Node with these words and waits for its end. */
export function runNode(
  words: readonly string[],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, {
      cwd,
      env: { ...process.env, NODE_OPTIONS: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (piece: Buffer) => (stdout += piece.toString()));
    child.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()));
    const bound = setTimeout(() => child.kill("SIGTERM"), PATIENCE_MS * 1.5);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(bound);
      resolve({ code, stdout, stderr });
    });
  });
}

/** The body of an error response, after a check that it says what it is. */
export async function problem(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const type = response.headers.get("content-type");
  const text = await response.text();
  if (type !== "application/problem+json") throw new Error(`not a problem but ${type}: ${text.slice(0, 200)}`);
  // RFC 9457: always one JSON object.
  return JSON.parse(text) as Record<string, unknown>;
}

// The example programs as a user runs them, against free ports and a state directory of their own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { REPOSITORY, runNode, temporaryFolder, waitFor } from "./instance.ts";

const environment = (folder: string): Record<string, string> => ({
  HEADGATE_HTTP_PORT: "0",
  HEADGATE_CONTROL_PORT: "0",
  HEADGATE_ADMIN_PORT: "0",
  HEADGATE_STATE_DIR: join(folder, ".headgate"),
});

/** Runs an example to its end. `path` starts in examples/. */
export async function runExample(path: string): Promise<Awaited<ReturnType<typeof runNode>>> {
  await using folder = await temporaryFolder();
  return await runNode([join(REPOSITORY, "examples", path)], { cwd: REPOSITORY, env: environment(folder.path) });
}

/** An example that serves until it is ended. */
export interface RunningExample extends AsyncDisposable {
  /** What the first group of the pattern matched in what it said. */
  readonly said: string;
  /** Ends it as a terminal does, and resolves with its exit code and signal. */
  end(): Promise<readonly unknown[]>;
}

/** Starts an example and waits until it has said what matches. Ended when disposed of. */
export async function startExample(path: string, says: RegExp): Promise<RunningExample> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const env = { ...process.env, NODE_OPTIONS: "", ...environment(folder.path) };
  const program = spawn(process.execPath, [join(REPOSITORY, "examples", path)], { cwd: REPOSITORY, env });
  const ended = once(program, "exit");
  const end = (): Promise<readonly unknown[]> => {
    program.kill("SIGTERM");
    return ended;
  };
  stack.defer(async () => void (await end()));
  let all = "";
  for (const out of [program.stdout, program.stderr]) out.on("data", (piece: Buffer) => (all += piece.toString()));
  const said = await waitFor("the address", () => {
    if (program.exitCode !== null) throw new Error(`it ended with ${program.exitCode}: ${all}`);
    return says.exec(all)?.[1];
  });
  const owned = stack.move();
  return { said, end, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

// What a command sees of the world: environment, streams, the interrupt, and how values are printed.
// Which command does what stands in commands/.

import type { ControlClient, InstanceLocation } from "@headgate/client";

/** What a command runs in. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  /** Aborts when the user asks to end. */
  readonly signal: AbortSignal;
  readonly out: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Options that every command has. */
export interface GlobalOptions {
  readonly output: "table" | "json" | "yaml";
  readonly stateDir?: string;
  readonly address?: string;
}

/** Prints a line on standard output. */
export function print(world: World, text: string): void {
  world.out.write(`${text}\n`);
}

/** Prints a line on standard error: progress and hints, which no pipe reads. */
export function tell(world: World, text: string): void {
  world.err.write(`${text}\n`);
}

/** Prints a value as asked for; `table` makes the text for people. */
export async function show(world: World, options: GlobalOptions, value: unknown, table: () => string): Promise<void> {
  switch (options.output) {
    case "json":
      return print(world, JSON.stringify(value, null, 2));
    case "yaml": {
      const { stringify } = await import("yaml");
      // By way of JSON, so that both say the same.
      return print(world, stringify(JSON.parse(JSON.stringify(value))).trimEnd());
    }
    case "table":
      return print(world, table());
    default:
      return options.output satisfies never;
  }
}

/** Runs `use` with a connection to the instance that the options or the surroundings name. */
export async function withControl<T>(
  world: World,
  options: GlobalOptions,
  use: (control: ControlClient, location: InstanceLocation) => Promise<T>,
): Promise<T> {
  const { discover, openControl } = await import("@headgate/client");
  const location = await discover({ address: options.address, stateDir: options.stateDir }, world);
  using control = openControl(location);
  return await use(control, location);
}

/** Runs `work` under a title: a spinner on a terminal, else a plain line. All of it on standard error. */
export async function withProgress<T>(world: World, title: string, work: () => Promise<T>): Promise<T> {
  if (world.err.isTTY !== true || world.out.isTTY !== true) {
    tell(world, `${title} …`);
    return work();
  }
  const { Listr } = await import("listr2");
  let result: { readonly value: T } | undefined;
  const task = async (): Promise<void> => {
    result = { value: await work() };
  };
  await new Listr([{ title, task }], { registerSignalListeners: false, rendererOptions: { showErrorMessage: false } }).run();
  if (result === undefined) throw new Error("the task ended without a result");
  return result.value;
}

// headgate logs: what replicas and bridges wrote, each line with its source.

import { refuse } from "@headgate/core";
import { type GlobalOptions, type World, print, withControl } from "../console.ts";

export async function logs(
  world: World,
  globals: GlobalOptions,
  source: string | undefined,
  options: { readonly follow?: boolean; readonly tail: string },
): Promise<void> {
  if (!/^\d{1,6}$/.test(options.tail) || Number(options.tail) > 100_000) {
    refuse("invalid_argument", `--tail must be a whole number from 0 to 100000, not "${options.tail}"`);
  }
  await withControl(world, globals, async (control) => {
    try {
      const lines = control.logs({ source, follow: options.follow, tailLines: Number(options.tail), signal: world.signal });
      for await (const { source: from, line } of lines) {
        print(world, globals.output === "json" ? JSON.stringify({ source: from, line }) : `${from} | ${line}`);
      }
    } catch (error) {
      // Ctrl-C is how following ends.
      if (!world.signal.aborted) throw error;
    }
  });
}

// headgate stop: drains and ends the instance, and waits until its controller's process is gone.

import { processEnd } from "@headgate/client";
import { type GlobalOptions, type World, show, withControl, withProgress } from "../console.ts";

export async function stop(world: World, globals: GlobalOptions, options: { readonly force?: boolean }): Promise<void> {
  await withControl(world, globals, async (control, { pid, address }) => {
    await withProgress(world, `draining the instance at ${address}`, async () => {
      await control.shutdown({ signal: world.signal, force: options.force });
      await processEnd(pid);
    });
    await show(
      world,
      globals,
      { stopped: true, address },
      () => "stopped; its backends and endpoints come back with the next start on the same state directory",
    );
  });
}

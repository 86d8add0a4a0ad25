// An instance that a command starts and either holds until it is told to end, or leaves running.

import type { ControlClient } from "@headgate/client";
import { HeadgateError, fault } from "@headgate/core";
import { type World, tell } from "./console.ts";
import { type LaunchOptions, type LaunchedController, launchController } from "./launch.ts";

/** A controller with a connection to it. */
export interface LocalInstance {
  readonly controller: LaunchedController;
  readonly control: ControlClient;
}

/** Starts an instance and connects to it. */
export async function startLocal(world: World, options: LaunchOptions, onProgress?: (text: string) => void): Promise<LocalInstance> {
  const [controller, { discover, openControl }] = await Promise.all([
    launchController({ ...options, signal: world.signal }, world, onProgress),
    import("@headgate/client"),
  ]);
  const location = await discover({ stateDir: controller.stateDir }, { env: {}, cwd: world.cwd });
  return { controller, control: openControl(location) };
}

/** Holds the instance until the user asks to end it, then drains it. Rejects where the controller failed. */
export async function holdUntilInterrupted(world: World, { controller, control }: LocalInstance): Promise<void> {
  const interrupted = new Promise<"interrupted">((done) => {
    if (world.signal.aborted) done("interrupted");
    world.signal.addEventListener("abort", () => done("interrupted"), { once: true });
  });
  const first = await Promise.race([interrupted, controller.ended]);
  if (first === "interrupted") {
    await endLocal(world, { controller, control });
    return;
  }
  control.close();
  if (first !== 0) {
    throw new HeadgateError(
      fault(
        "controller_unavailable",
        `the controller ended by itself; what it said is in ${controller.stateDir}/logs/controller.log, and a new start adopts what still runs`,
      ),
    );
  }
  tell(world, "stopped by headgate stop or a program");
}

/** Drains and ends the instance. */
export async function endLocal(world: World, { controller, control }: LocalInstance): Promise<void> {
  tell(world, "draining …");
  try {
    await control.shutdown();
  } catch (error) {
    // A controller that is already on its way out closes the connection; whether it ends is waited for below.
    if (!(error instanceof HeadgateError)) throw error;
    controller.release();
  }
  control.close();
  await controller.ended;
  tell(world, "stopped");
}

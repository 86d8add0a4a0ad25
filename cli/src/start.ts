// start() and connect(): an instance of one's own, or one that runs elsewhere. Both give the same object.
// Nothing is loaded of the gRPC stack until one of them is called.

import type { InstanceHints, Surroundings } from "@headgate/client";
import type { Instance } from "./instance.ts";
import { type LaunchOptions, type LaunchedController, launchController } from "./launch.ts";

/** How an instance is started; what is left out comes from the environment's HEADGATE_… or has its default. */
export type StartOptions = LaunchOptions;

/** Where an instance is looked for. */
export interface ConnectOptions extends InstanceHints {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

const here = (): Surroundings => ({ env: process.env, cwd: process.cwd() });

/**
 * Starts an instance: controller, HTTP bridges, and the backends and endpoints of an earlier start on the same state
 * directory. Resolves when HTTP is served. It ends with this program unless `detached` is true.
 * Rejects with invalid_argument, state_dir_in_use, state_dir_unusable, port_taken, bind_refused or start_failed.
 */
export async function start(options: StartOptions = {}): Promise<Instance> {
  const [controller, { makeInstance }, { openControl, discover }] = await Promise.all([
    launchController(options, here()),
    import("./instance.ts"),
    import("@headgate/client"),
  ]);
  const { token } = await discover({ stateDir: controller.stateDir }, { env: {}, cwd: process.cwd() });
  return instanceOf(controller, token, options.detached !== true, makeInstance, openControl);
}

function instanceOf(
  controller: LaunchedController,
  token: string,
  owned: boolean,
  makeInstance: typeof import("./instance.ts").makeInstance,
  openControl: typeof import("@headgate/client").openControl,
): Instance {
  const { httpUrl, h2cUrl, httpsUrl, adminUrl, controlAddress, ended, release } = controller;
  const control = openControl({ address: controlAddress, token });
  // One that outlives this program does not hold it; one of this program's own keeps it running, as a server does.
  if (!owned) release();
  return makeInstance({ control, httpUrl, h2cUrl, httpsUrl, adminUrl, controlAddress, token, owned, release, ended: () => ended });
}

/**
 * Connects to a running instance: the one at `address` with `token`, that of `stateDir`, that of the environment's
 * HEADGATE_CONTROL_ADDRESS and HEADGATE_TOKEN or HEADGATE_STATE_DIR, or the nearest ".headgate" upwards.
 * Rejects with controller_unavailable or unauthenticated.
 */
export async function connect(options: ConnectOptions = {}): Promise<Instance> {
  const { signal, ...hints } = options;
  const [{ discover, openControl, processEnd }, { makeInstance }] = await Promise.all([
    import("@headgate/client"),
    import("./instance.ts"),
  ]);
  const { address, token, pid } = await discover(hints, here());
  const control = openControl({ address, token });
  try {
    const { httpUrl, h2cUrl, httpsUrl, adminUrl } = await control.status(signal === undefined ? {} : { signal });
    return makeInstance({
      control,
      httpUrl,
      h2cUrl,
      httpsUrl,
      adminUrl,
      controlAddress: address,
      token,
      owned: false,
      ended: () => processEnd(pid),
    });
  } catch (error) {
    control.close();
    throw error;
  }
}

// headgate start: an instance in the foreground, or left running with --detach.

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { HeadgateError } from "@headgate/core";
import { runSteps } from "../apply-plan.ts";
import { type GlobalOptions, type World, show, withProgress } from "../console.ts";
import { type LocalInstance, endLocal, holdUntilInterrupted, startLocal } from "../local-instance.ts";
import { type LaunchWords, parseLaunchWords } from "../model/launch-options.ts";
import { readWanted, stepsFor } from "./apply.ts";

interface StartOptions extends LaunchWords {
  readonly root?: string;
  readonly detach?: boolean;
  readonly example?: boolean;
}

/** Where the examples are: beside the room of this command. */
const EXAMPLES = resolve(dirname(fileURLToPath(import.meta.url)), "../../../examples");

export async function start(world: World, globals: GlobalOptions, options: StartOptions): Promise<void> {
  const numbers = parseLaunchWords(options);
  if (!numbers.ok) throw new HeadgateError(numbers.error);
  const { detach = false, example = false } = options;
  const root = options.root ?? (example ? dirname(EXAMPLES) : undefined);
  const beganMs = performance.now();
  const instance = await withProgress(world, "starting an instance", () =>
    startLocal(world, { ...numbers.value, root, stateDir: globals.stateDir, detached: detach }),
  );
  const { controller, control } = instance;
  try {
    if (example) await withProgress(world, "starting the example backends", () => createExamples(world, instance));
  } catch (error) {
    await endLocal(world, instance);
    throw error;
  }
  const { httpUrl, h2cUrl, httpsUrl, adminUrl, controlAddress, stateDir, pid } = controller;
  await show(world, globals, { httpUrl, h2cUrl, httpsUrl, adminUrl, controlAddress, stateDir, pid }, () =>
    banner(controller, Math.round(performance.now() - beganMs), example, detach),
  );
  if (detach) {
    controller.release();
    control.close();
    return;
  }
  await holdUntilInterrupted(world, instance);
}

async function createExamples(world: World, { control }: LocalInstance): Promise<void> {
  const file = join(EXAMPLES, "headgate.yaml");
  const wanted = await readWanted(file, "examples/headgate.yaml");
  await runSteps(control, await stepsFor(control, wanted, "examples/headgate.yaml", world.signal), world.signal);
}

function banner(
  { httpUrl, h2cUrl, httpsUrl, adminUrl, controlAddress, stateDir }: LocalInstance["controller"],
  tookMs: number,
  example: boolean,
  detached: boolean,
): string {
  const tries = example
    ? [
        `curl ${httpUrl}/hello`,
        `curl ${httpUrl}/count`,
        `curl ${httpUrl}/items/42`,
        `curl -d '{"a":1}' -H 'content-type: application/json' ${httpUrl}/echo`,
        `curl -N ${httpUrl}/stream`,
        "npx headgate status",
        "npx headgate traffic set hello hello=0.5 counter=0.5",
      ]
    : [
        "npx headgate backend create hello ./handlers.ts#hello",
        "npx headgate endpoint create hello --backend hello --route /hello",
        `curl ${httpUrl}/hello`,
      ];
  const end = detached ? "It goes on without this terminal; end it with: npx headgate stop" : "Ctrl-C drains and ends it.";
  return [
    "",
    `  Headgate serves (ready in ${tookMs} ms)`,
    "",
    `    HTTP     ${httpUrl}`,
    ...(h2cUrl === null ? [] : [`    h2c      ${h2cUrl}  (HTTP/2 by prior knowledge)`]),
    ...(httpsUrl === null ? [] : [`    HTTPS    ${httpsUrl}`]),
    `    admin    ${adminUrl}`,
    `    control  ${controlAddress}  (gRPC)`,
    `    state    ${stateDir}`,
    "",
    "  Try:",
    ...tries.map((line) => `    ${line}`),
    "",
    `  ${end}`,
    "",
  ].join("\n");
}

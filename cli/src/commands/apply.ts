// headgate apply: makes the backends and endpoints of a file so, and prints what that takes. Others stay untouched.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ControlClient } from "@headgate/client";
import { HeadgateError, fault } from "@headgate/core";
import { runSteps } from "../apply-plan.ts";
import { type GlobalOptions, type World, print, show, tell, withControl, withProgress } from "../console.ts";
import { parseFile, unknownBackends } from "../model/file.ts";
import { type Step, type Wanted, planSteps, showStep } from "../model/plan.ts";

export async function apply(
  world: World,
  globals: GlobalOptions,
  options: { readonly file: string; readonly dryRun?: boolean },
): Promise<void> {
  const wanted = await readWanted(resolve(world.cwd, options.file), options.file);
  await withControl(world, globals, async (control) => {
    const steps = await stepsFor(control, wanted, options.file, world.signal);
    if (globals.output === "table") {
      print(world, steps.length === 0 ? "nothing to do: all is as the file says" : steps.map(showStep).join("\n"));
    }
    if (options.dryRun !== true && steps.length > 0) {
      await withProgress(world, `applying ${steps.length} change(s)`, () => runSteps(control, steps, world.signal));
    }
    const changes = steps.map(({ kind, name, words }) => ({ kind, name, changes: words }));
    if (globals.output !== "table") await show(world, globals, { dryRun: options.dryRun === true, changes }, () => "");
    else if (steps.length > 0) tell(world, options.dryRun === true ? "dry run: nothing was changed" : "applied");
  });
}

/** Reads and checks a file. */
export async function readWanted(path: string, label: string): Promise<Wanted> {
  let source: string;
  try {
    source = await readFile(path, "utf8");
  } catch (cause) {
    const code: unknown = Reflect.get(Object(cause), "code");
    throw new HeadgateError(
      fault("invalid_argument", `${label} cannot be read (${String(code)}); name a YAML file with backends and endpoints`),
      { cause },
    );
  }
  const wanted = parseFile(source, label);
  if (!wanted.ok) throw new HeadgateError(wanted.error);
  return wanted.value;
}

/** What the instance needs to be as wanted. */
export async function stepsFor(control: ControlClient, wanted: Wanted, label: string, signal: AbortSignal): Promise<readonly Step[]> {
  const [backends, endpoints] = await Promise.all([control.listBackends({ signal }), control.listEndpoints({ signal })]);
  const unknown = unknownBackends(wanted, backends);
  if (unknown.length > 0) throw new HeadgateError(fault("backend_not_found", unknown.map((line) => `${label}: ${line}`).join("\n")));
  return planSteps(wanted, { backends, endpoints });
}

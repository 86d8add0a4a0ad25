// Runs the steps of a plan one after the other, backends side by side: the slow part of each is the start of processes.
// The first failure ends it; what was done stays, and a repeat goes on from there.

import type { ControlClient } from "@headgate/client";
import type { Step } from "./model/plan.ts";

/** Runs all steps; `done` hears of each. Rejects with the first failure. */
export async function runSteps(
  control: ControlClient,
  steps: readonly Step[],
  signal: AbortSignal,
  done: (step: Step) => void = () => undefined,
): Promise<void> {
  const run = async (step: Step): Promise<void> => {
    await runStep(control, step, signal);
    done(step);
  };
  const isBackend = (step: Step): boolean => step.kind === "createBackend" || step.kind === "updateBackend";
  for (const step of steps.filter(({ kind }) => kind === "deleteEndpoint")) await run(step);
  const outcomes = await Promise.allSettled(steps.filter(isBackend).map(run));
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures);
  for (const step of steps) if (!isBackend(step) && step.kind !== "deleteEndpoint") await run(step);
}

async function runStep(control: ControlClient, step: Step, signal: AbortSignal): Promise<unknown> {
  const options = { signal };
  switch (step.kind) {
    case "createBackend":
      return control.createBackend(step.request, options);
    case "updateBackend":
      return control.updateBackend(step.name, step.change, options);
    case "deleteBackend":
      return control.deleteBackend(step.name, options);
    case "createEndpoint":
      return control.createEndpoint(step.request, options);
    case "updateEndpoint":
      return control.updateEndpoint(step.name, step.change, options);
    case "setTraffic":
      return control.setTraffic(step.name, step.traffic, options);
    case "setShadow":
      return control.setShadow(step.name, step.backend, step.proportion, options);
    case "deleteEndpoint":
      return control.deleteEndpoint(step.name, options);
    default:
      return step satisfies never;
  }
}

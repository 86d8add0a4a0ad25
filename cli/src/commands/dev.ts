// headgate dev: serves a module's exports, and serves them anew at each save. A file that does not load, or whose
// class cannot be constructed, is told with its place, and what was served before goes on.

import { stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { ControlClient } from "@headgate/client";
import { HeadgateError, fault } from "@headgate/core";
import { runSteps } from "../apply-plan.ts";
import { type GlobalOptions, type World, print, tell, withProgress } from "../console.ts";
import { failureLines } from "../failure.ts";
import { FileWatcher } from "../file-watcher.ts";
import { type ModuleLook, inspectModule } from "../inspect-module.ts";
import { holdUntilInterrupted, startLocal } from "../local-instance.ts";
import { devLine } from "../model/dev-log.ts";
import { type DevPlan, planDev } from "../model/dev-plan.ts";
import { type LaunchWords, parseLaunchWords } from "../model/launch-options.ts";
import { planSteps } from "../model/plan.ts";

/** Editors write a file in several steps; what comes within this time is one save. */
const SETTLE_MS = 15;

/** Each takes about 100 MB. */
const MOST_SPARES = 4;

export async function dev(world: World, globals: GlobalOptions, file: string, options: LaunchWords): Promise<void> {
  const path = resolve(world.cwd, file);
  if (!(await stat(path).catch(() => undefined))?.isFile()) {
    throw new HeadgateError(fault("module_not_found", `${file} does not exist; name a .ts or .js file, such as ./app.ts`));
  }
  const numbers = parseLaunchWords(options);
  if (!numbers.ok) throw new HeadgateError(numbers.error);
  const inside = !relative(world.cwd, path).startsWith("..");
  const root = inside ? world.cwd : dirname(path);
  const stateDir = globals.stateDir ?? join(".headgate", "dev");
  const look = await inspectModule(path);
  // A process in waiting for each that a save starts anew is what makes a save quick.
  const spares = Math.min(MOST_SPARES, Math.max(1, look.kind === "loaded" ? look.exports.length : 1));
  const instance = await withProgress(world, "starting an instance", () => startLocal(world, { spares, ...numbers.value, root, stateDir }));
  const { controller, control } = instance;
  const server = new DevServer(world, control, path, relative(root, path));
  try {
    await server.serveFirst(look, controller.httpUrl);
    void printLogs(world, control);
    tell(world, "\nwatching for changes; Ctrl-C ends it");
    await holdUntilInterrupted(world, instance);
  } finally {
    server[Symbol.dispose]();
    controller.release();
  }
}

/** Prints what the handlers write, until the connection ends. */
async function printLogs(world: World, control: ControlClient): Promise<void> {
  try {
    for await (const { source, line } of control.logs({ follow: true, signal: world.signal })) {
      const shown = devLine(source, line);
      if (shown !== null) print(world, shown);
    }
  } catch (error) {
    if (!world.signal.aborted && error instanceof HeadgateError && error.code !== "controller_unavailable") {
      for (const line of failureLines(error)) tell(world, line);
    }
  }
}

class DevServer implements Disposable {
  readonly #world: World;
  readonly #control: ControlClient;
  readonly #path: string;
  readonly #label: string;
  readonly #watcher = new FileWatcher(() => this.#changed());
  #files: readonly string[] = [];
  #served: DevPlan = { backends: [], endpoints: [], skipped: [] };
  #changedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(world: World, control: ControlClient, path: string, label: string) {
    this.#world = world;
    this.#control = control;
    this.#path = path;
    this.#label = label;
  }

  /** Serves the module for the first time; what an earlier session left in the state directory goes. */
  async serveFirst(look: ModuleLook, httpUrl: string): Promise<void> {
    this.#watch(look);
    if (look.kind === "failed") {
      tell(this.#world, `headgate: ${look.message}`);
      return;
    }
    const plan = planDev(this.#label, look.exports);
    this.#tellSkipped(plan);
    try {
      await this.#reach(plan);
    } catch (error) {
      this.#tellFailure(error);
      return;
    }
    const lines = plan.endpoints.map(({ route, name }) => `  ${httpUrl}${route === "/*" ? "/" : route}  ${name}`);
    print(
      this.#world,
      lines.length === 0 ? `${this.#label} exports no function or class yet` : `\nserving ${this.#label}\n${lines.join("\n")}`,
    );
  }

  /** Brings the instance to the plan, whatever is in it. */
  async #reach(plan: DevPlan): Promise<void> {
    const signal = this.#world.signal;
    const [backends, endpoints] = await Promise.all([this.#control.listBackends({ signal }), this.#control.listEndpoints({ signal })]);
    await runSteps(this.#control, planSteps(plan, { backends, endpoints }, true), signal);
    this.#served = plan;
  }

  #watch(look: ModuleLook): void {
    // After a failure the files known before count as well: the mistake may be mended in any of them.
    this.#files = look.kind === "loaded" ? look.files : [...new Set([this.#path, ...this.#files, ...look.files])];
    this.#watcher.set(this.#files, look.kind === "failed");
  }

  #changed(): void {
    this.#changedAt ??= performance.now();
    if (this.#busy) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#reload(), SETTLE_MS);
  }

  async #reload(): Promise<void> {
    this.#busy = true;
    const since = this.#changedAt ?? performance.now();
    this.#changedAt = undefined;
    try {
      const restarted = this.#restartServed();
      const look = await inspectModule(this.#path);
      this.#watch(look);
      const outcomes = await restarted;
      if (look.kind === "failed") {
        tell(this.#world, `headgate: ${look.message}\n  what was served before goes on`);
        return;
      }
      const plan = planDev(this.#label, look.exports);
      const kept = new Set<string>(plan.backends.map(({ name }) => name));
      const failures = outcomes.filter(({ name, error }) => error !== undefined && kept.has(name)).map(({ error }) => error);
      if (failures.length > 0) throw new AggregateError(failures);
      this.#tellSkipped(plan);
      if (!sameBackends(plan, this.#served)) await this.#reach(plan);
      print(this.#world, `served again in ${Math.round(performance.now() - since)} ms`);
    } catch (error) {
      this.#tellFailure(error);
    } finally {
      this.#busy = false;
      if (this.#changedAt !== undefined) this.#changed();
    }
  }

  /** Starts new processes for all that is served. Resolves to what became of each. */
  #restartServed(): Promise<readonly { readonly name: string; readonly error: unknown }[]> {
    const { signal } = this.#world;
    return Promise.all(
      this.#served.backends.map(({ name }) =>
        this.#control.updateBackend(name, { restart: true }, { signal }).then(
          () => ({ name, error: undefined }),
          (error: unknown) => ({ name, error }),
        ),
      ),
    );
  }

  #tellSkipped({ skipped }: DevPlan): void {
    if (skipped.length > 0)
      tell(this.#world, `not served, as names of backends begin and end with a letter or digit: ${skipped.join(", ")}`);
  }

  #tellFailure(error: unknown): void {
    if (this.#world.signal.aborted) return;
    const goesOn = this.#served.backends.length > 0 ? ["  what was served before goes on"] : [];
    for (const line of new Set([...failureLines(error), ...goesOn])) tell(this.#world, line);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watcher[Symbol.dispose]();
  }
}

const sameBackends = (a: DevPlan, b: DevPlan): boolean =>
  a.backends.length === b.backends.length && a.backends.every(({ name }, index) => b.backends[index]?.name === name);

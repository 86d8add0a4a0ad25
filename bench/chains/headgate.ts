// Headgate as a user has it: start() of the public API with one bridge, then the backends and endpoints of a load.
// The same by another checkout is what "before and after" is measured with. Handlers travel by their source, so they use
// nothing from outside themselves.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { fault, HeadgateError } from "@headgate/core";
import { type BackendOptions, type EndpointOptions, start } from "headgate";
import { pidsOf } from "../model/status.ts";
import { until200 } from "../processes.ts";
import type { StartChain } from "./chain.ts";

/** What an instance serves. */
export interface HeadgateApp {
  readonly backends: readonly BackendOptions[];
  readonly endpoints: readonly (EndpointOptions & { readonly name: string })[];
  /** A path that answers a GET with 200 once the instance serves. */
  readonly readyPath: string;
}

/** `start` of this checkout, or of another. */
export type StartInstance = typeof start;

const never = new Promise<never>(() => undefined);

/** The chain that serves an app. */
export function headgateChain(app: HeadgateApp, startInstance: StartInstance = start): StartChain {
  return async (site) => {
    await using stack = new AsyncDisposableStack();
    const stateDir = join(site.directory, "state");
    const serve = await startInstance({ httpPort: 0, controlPort: 0, adminPort: 0, stateDir, bridges: 1 });
    stack.defer(() => serve.shutdown());
    for (const backend of app.backends) await serve.createBackend(backend);
    for (const { name, ...endpoint } of app.endpoints) await serve.createEndpoint(name, endpoint);
    const url = serve.httpUrl.replace(/\/$/, "");
    await until200(`${url}${app.readyPath}`, 30_000, never, site.signal);
    const owned = stack.move();
    return {
      url,
      pids: async () => pidsOf(await serve.status()),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  };
}

/** The chains that serve an app: this checkout's, and where there is a `start` of one before, that. */
export function headgateChains(app: HeadgateApp, before: StartInstance | undefined): [string, StartChain][] {
  const chains: [string, StartChain][] = [["headgate", headgateChain(app)]];
  if (before !== undefined) chains.push(["headgate-before", headgateChain(app, before)]);
  return chains;
}

/** The `start` of another checkout: its sources, its packages, this Node. */
export async function startOf(checkout: string): Promise<StartInstance> {
  const entry = join(resolve(checkout), "cli", "src", "index.ts");
  if (!existsSync(entry) || !existsSync(join(resolve(checkout), "node_modules", "@headgate"))) {
    const what = `${checkout} is no checkout of Headgate with its packages installed`;
    throw new HeadgateError(fault("invalid_argument", `${what}: make one with "git worktree add ${checkout} COMMIT" and "npm ci" in it.`));
  }
  // Another checkout's module has the same shape as far as the bench uses it; where it has not, its start says so.
  const module = (await import(pathToFileURL(entry).href)) as { readonly start: StartInstance };
  return module.start;
}

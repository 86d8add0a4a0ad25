// Which chains the loads by wrk run, and which of them side by side.
import { err, ok, type Result } from "@headgate/core";
import type { ChainName } from "../model/results.ts";
import type { StartChain } from "./chain.ts";
import { startEnvoy } from "./envoy.ts";
import { startBare, startGrpc } from "./node-servers.ts";
import { startRay } from "./ray.ts";

/** What a chain may need that is not part of this repository; undefined where it is missing. */
export interface Programs {
  /** Directory of another checkout. */
  readonly before: string | undefined;
  readonly envoy: string | undefined;
  readonly python: string | undefined;
}

/** Why a chain that was asked for by name cannot run. */
const NEEDS: Readonly<Partial<Record<ChainName, string>>> = {
  envoy: "Give Envoy's binary with --envoy PATH, or install it with --setup envoy.",
  ray: "Give a Python that has ray[serve] with --ray-python PATH, or install one with --setup ray.",
  "ray-haproxy": "Give a Python that has ray[serve] with --ray-python PATH, or install one with --setup ray.",
};

/** The chains that are named, or all that can run; an error where a named one cannot. */
export function choose(named: readonly ChainName[] | undefined, programs: Programs): Result<Map<ChainName, StartChain>, string> {
  const known = available(programs);
  const chosen = new Map<ChainName, StartChain>();
  for (const name of named ?? known.keys()) {
    const start = known.get(name);
    if (start === undefined) return err(`The chain "${name}" cannot run. ${NEEDS[name] ?? ""}`);
    chosen.set(name, start);
  }
  return ok(chosen);
}

/** Every chain whose programs are there. */
function available({ before, envoy, python }: Programs): Map<ChainName, StartChain> {
  const chains = new Map<ChainName, StartChain>([
    ["bare", startBare],
    // Loaded when it runs: --help, --setup and the other chains do not load the platform.
    ["headgate", async (site) => (await requestChain(undefined))(site)],
    ["grpc", startGrpc],
  ]);
  if (before !== undefined) chains.set("headgate-before", async (site) => (await requestChain(before))(site));
  if (envoy !== undefined) chains.set("envoy", startEnvoy(envoy));
  if (python !== undefined) {
    chains.set("ray", startRay(python, false));
    chains.set("ray-haproxy", startRay(python, true));
  }
  return chains;
}

/** Headgate with the app of the loads by wrk: this one, or that of another checkout. */
async function requestChain(checkout: string | undefined): Promise<StartChain> {
  const { headgateChain, startOf } = await import("./headgate.ts");
  const { REQUEST_APP } = await import("./request-app.ts");
  return headgateChain(REQUEST_APP, checkout === undefined ? undefined : await startOf(checkout));
}

/** Ray's many processes are never quite idle: each way of it runs in a group of its own, beside bare and Headgate. */
export function groupsOf(chosen: ReadonlyMap<ChainName, StartChain>): Map<string, Map<ChainName, StartChain>> {
  const isRay = (name: ChainName): boolean => name === "ray" || name === "ray-haproxy";
  const groups = new Map<string, Map<ChainName, StartChain>>();
  const main = new Map([...chosen].filter(([name]) => !isRay(name)));
  // Bare alone says nothing where it runs beside Ray anyway.
  if (main.size > 1 || main.size === chosen.size) groups.set("main", main);
  for (const ray of [...chosen].filter(([name]) => isRay(name))) {
    const beside = [...chosen].filter(([name]) => name === "bare" || name === "headgate");
    groups.set(`beside ${ray[0]}`, new Map([...beside, ray]));
  }
  return groups;
}

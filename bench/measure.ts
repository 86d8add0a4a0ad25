// Runs the chains of one group alternately: for each load and number of connections, round after round, A B C A B C.
// All chains of a group are up the whole time, so that each meets the same machine.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fault, HeadgateError } from "@headgate/core";
import type { RunningChain, StartChain } from "./chains/chain.ts";
import { bodyOf, type Load } from "./model/loads.ts";
import type { ChainName, Sample } from "./model/results.ts";
import { cpuOf, memoryOf } from "./processes.ts";
import { runWrk } from "./wrk.ts";

export interface Plan {
  readonly loads: readonly Load[];
  readonly connections: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  /** Where chains keep their files. */
  readonly directory: string;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Measures one group. */
export async function measureGroup(group: string, chains: ReadonlyMap<ChainName, StartChain>, plan: Plan): Promise<readonly Sample[]> {
  await using stack = new AsyncDisposableStack();
  const running: { name: ChainName; chain: RunningChain }[] = [];
  for (const [name, start] of chains) {
    plan.progress(`${group}: starting ${name}`);
    const directory = join(plan.directory, group.replaceAll(" ", "-"), name);
    mkdirSync(directory, { recursive: true });
    running.push({ name, chain: stack.use(await start({ directory, signal: plan.signal })) });
  }
  const samples: Sample[] = [];
  for (const load of plan.loads) {
    for (const { name, chain } of running) await verify(name, chain, load, plan.signal);
    for (const connections of plan.connections) {
      for (const { chain } of running) await runWrk(chain.url, load, connections, 1, plan.signal); // warms up
      for (let round = 1; round <= plan.rounds; round++) {
        for (const { name, chain } of running) {
          plan.progress(`${group}: ${load.name}, ${connections} connections, round ${round}/${plan.rounds}: ${name}`);
          const measured = await measureOnce(chain, load, connections, plan);
          samples.push({ group, chain: name, load: load.name, connections, round, ...measured });
        }
      }
    }
  }
  return samples;
}

type Measured = Omit<Sample, "group" | "chain" | "load" | "connections" | "round">;

async function measureOnce(chain: RunningChain, load: Load, connections: number, plan: Plan): Promise<Measured> {
  const before = cpuOf(await chain.pids());
  const report = await runWrk(chain.url, load, connections, plan.seconds, plan.signal);
  const pids = await chain.pids();
  const after = cpuOf(pids);
  // A process that came during the run counts from nothing, one that went is not seen: neither should happen.
  const cpuUs = [...after].reduce((sum, [pid, us]) => sum + us - (before.get(pid) ?? 0), 0);
  return { report, cpuUs, processes: pids.length, ...memoryOf(pids) };
}

/** A chain that answers fast but wrongly must not be measured. */
async function verify(name: ChainName, chain: RunningChain, load: Load, signal: AbortSignal): Promise<void> {
  const body = bodyOf(load);
  const headers = load.bodyBytes > 0 ? { "content-type": "application/octet-stream" } : {};
  const response = await fetch(chain.url + load.path, {
    method: load.method,
    headers,
    signal,
    ...(load.bodyBytes > 0 ? { body } : {}),
  });
  const reply = await response.text();
  if (response.status === 200 && reply === load.reply(body)) return;
  const what = `${name} answers ${load.method} ${load.path} with ${response.status} and ${reply.length} bytes`;
  throw new HeadgateError(fault("internal", `${what}, which is not the expected reply: ${reply.slice(0, 200)}`));
}

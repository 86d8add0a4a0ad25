// Headgate as a user has it: start() of the public API, one backend of two replicas, one bridge, three endpoints.
// The handler is a plain function that travels by its source, so it uses nothing from outside itself.
import { join } from "node:path";
import { start } from "headgate";
import { pidsOf } from "../model/status.ts";
import { until200 } from "../processes.ts";
import type { StartChain } from "./chain.ts";

/** What the handler uses of a web-standard Request. */
interface BenchRequest {
  readonly method: string;
  readonly url: string;
  bytes(): Promise<Uint8Array>;
}

export const BACKEND = "bench";

/** The work of the three loads. */
export async function benchHandler(request: BenchRequest): Promise<unknown> {
  if (request.method === "GET") return { hello: "world" };
  const body = await request.bytes();
  return request.url.endsWith("/echo") ? body : { length: body.byteLength };
}

export const ENDPOINTS = [
  { name: "small", route: "/small", methods: ["GET"] },
  { name: "echo", route: "/echo", methods: ["POST"] },
  { name: "length", route: "/length", methods: ["POST"] },
] as const;

const never = new Promise<never>(() => undefined);

export const startHeadgate: StartChain = async (site) => {
  await using stack = new AsyncDisposableStack();
  const stateDir = join(site.directory, "state");
  const serve = await start({ httpPort: 0, controlPort: 0, adminPort: 0, stateDir, bridges: 1 });
  stack.defer(() => serve.shutdown());
  await serve.createBackend({ name: BACKEND, handler: benchHandler, config: { numReplicas: 2 } });
  for (const { name, route, methods } of ENDPOINTS) {
    await serve.createEndpoint(name, { backend: BACKEND, route, methods: [...methods] });
  }
  const url = serve.httpUrl.replace(/\/$/, "");
  await until200(`${url}/small`, 10_000, never, site.signal);
  const owned = stack.move();
  return {
    url,
    pids: async () => pidsOf(await serve.status()),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

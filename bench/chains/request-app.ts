// The app of the loads that wrk makes: one backend of two replicas, three endpoints.
import type { HeadgateApp } from "./headgate.ts";

/** What the handler uses of a web-standard Request. */
interface BenchRequest {
  readonly method: string;
  readonly url: string;
  bytes(): Promise<Uint8Array>;
}

export const BACKEND = "bench";

/** The work of the three loads. */
async function benchHandler(request: BenchRequest): Promise<unknown> {
  if (request.method === "GET") return { hello: "world" };
  const body = await request.bytes();
  return request.url.endsWith("/echo") ? body : { length: body.byteLength };
}

export const REQUEST_APP: HeadgateApp = {
  backends: [{ name: BACKEND, handler: benchHandler, config: { numReplicas: 2 } }],
  endpoints: [
    { name: "small", backend: BACKEND, route: "/small", methods: ["GET"] },
    { name: "echo", backend: BACKEND, route: "/echo", methods: ["POST"] },
    { name: "length", backend: BACKEND, route: "/length", methods: ["POST"] },
  ],
  readyPath: "/small",
};

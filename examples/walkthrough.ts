// The first five minutes with Headgate, step by step, each with what it gives: node examples/walkthrough.ts
// Ports come from HEADGATE_HTTP_PORT, HEADGATE_CONTROL_PORT and HEADGATE_ADMIN_PORT (0: any free one), else 8000 to 8002;
// HEADGATE_STATE_DIR says where the state lies.

import { HeadgateError, start } from "headgate";

const serve = await start(); // an instance; HTTP on 127.0.0.1:8000
try {
  await serve.createBackend("simple_backend", () => "hello"); // a function: stateless

  // A class: stateful, one object per replica.
  class RequestHandler {
    message: string;
    constructor(message: string) {
      this.message = message;
    }
    handle(): string {
      return this.message;
    }
  }
  await serve.createBackend("simple_backend_class", RequestHandler, "hello, world!");
  const { simple_backend, simple_backend_class } = await serve.listBackends();
  console.log("backends", {
    simple_backend: shape(simple_backend),
    simple_backend_class: shape(simple_backend_class),
  });

  await serve.createEndpoint("simple_endpoint", { backend: "simple_backend", route: "/simple", methods: ["GET"] });
  const url = `${serve.httpUrl}/simple`;
  console.log("GET /simple:", await (await fetch(url)).text());
  console.log("endpoints", await serve.listEndpoints());

  await serve.setTraffic("simple_endpoint", { simple_backend: 0.9, simple_backend_class: 0.1 });
  const counts: Record<string, number> = {};
  for (let request = 0; request < 100; request += 1) {
    const text = await (await fetch(url)).text();
    counts[text] = (counts[text] ?? 0) + 1;
  }
  console.log("100 requests over a split of 0.9 and 0.1:", counts);
  console.log("by a handle, without HTTP:", await (await serve.handle("simple_endpoint").send()).text());

  try {
    await serve.deleteBackend("simple_backend");
  } catch (error) {
    if (!(error instanceof HeadgateError)) throw error;
    console.log(`refused (${error.code}): ${error.message}`);
  }
  await serve.deleteEndpoint("simple_endpoint"); // its backends stay
  await serve.deleteBackend("simple_backend"); // now fine
  console.log("backends that are left:", Object.keys(await serve.listBackends()));
} finally {
  await serve.close();
}

function shape(backend: Awaited<ReturnType<typeof serve.getBackend>> | undefined) {
  return { acceptsBatches: backend?.acceptsBatches, numReplicas: backend?.numReplicas, maxBatchSize: backend?.maxBatchSize };
}

// Shadows where several bridges send to one replica: a copy of one bridge never holds up a request of another.

import { afterAll, expect, test } from "@jest/globals";
import { startInstance, waitFor } from "../support/instance.ts";
import { OBSERVED_FILES } from "../support/observed.ts";

const instance = await startInstance({ files: OBSERVED_FILES, bridges: 2 });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

test("requests over every bridge are served though a copy that hangs has the only place", async () => {
  await serve.createBackend("real", () => "real");
  await serve.createBackend({ name: "narrow", handler: "./observed.ts#Observed", config: { maxConcurrentQueries: 1 } });
  await serve.createEndpoint("beside", { backend: "real", route: "/beside/*" });
  await serve.createEndpoint("narrow", { backend: "narrow", route: "/narrow/*" });
  await serve.shadowTraffic("beside", "narrow", 1);
  // Each on a connection of its own, so that both bridges get some: a copy of one is there when the other one's request comes.
  const apart = { headers: { connection: "close" } };
  for (let round = 0; round < 12; round++) {
    expect(await instance.text("/beside/hold", apart)).toBe("real");
    await waitFor("a copy", async () => (await serve.status()).replicas.some((one) => one.backend === "narrow" && one.inFlight === 1));
    // The copy would hold the place for the 60 s of its deadline.
    const response = await instance.fetch("/narrow/remaining", { ...apart, signal: AbortSignal.timeout(20_000) });
    expect(await response.json()).toHaveProperty("remainingMs");
  }
  const { bridges } = await serve.status();
  expect(bridges).toHaveLength(2);
});

// Batch inference: node examples/batch-inference/main.ts
// The same model behind two endpoints, with lists of one and with batches, under the same load: 200 requests at the same time.
// Ports come from HEADGATE_HTTP_PORT, HEADGATE_CONTROL_PORT and HEADGATE_ADMIN_PORT (0: any free one), else 8000 to 8002;
// HEADGATE_STATE_DIR says where the state lies.

import { handler, start } from "headgate";
import type { Model } from "./model.ts";

const REQUESTS = 200;
const model = handler<typeof import("./model.ts")>("./examples/batch-inference/model.ts", "Model");

const serve = await start();
try {
  // Lists of one, one after the other: what the model does without batches.
  await serve.createBackend({ name: "one-by-one", handler: model, config: { maxBatchSize: 1, maxQueuedRequests: REQUESTS } });
  await serve.createBackend({ name: "batched", handler: model, config: { maxBatchSize: 32, maxQueuedRequests: REQUESTS } });
  for (const backend of ["one-by-one", "batched"]) {
    await serve.createEndpoint(backend, { backend, route: `/${backend}`, methods: ["POST"] });
    const predict = serve.handle<typeof Model>(backend);
    const begunMs = performance.now();
    const answers = await Promise.all(Array.from({ length: REQUESTS }, (_, n) => predict.send({ text: `is ${n} even?` })));
    // As the handler answers.
    const seen = (await Promise.all(answers.map((answer) => answer.json()))) as { label: string; call: number; of: number }[];
    const calls = Math.max(...seen.map(({ call }) => call));
    const questions = seen.filter(({ label }) => label === "question").length;
    const seconds = (performance.now() - begunMs) / 1000;
    console.log(`${backend}: ${questions} answers by ${calls} calls of the model, ${Math.round(REQUESTS / seconds)} a second`);
  }
  const mixed = await Promise.all(
    ['{"text":"good!"}', "no JSON"].map((body) => fetch(`${serve.httpUrl}/batched`, { method: "POST", body })),
  );
  console.log("two in one batch, one of them wrong:", mixed.map(({ status }) => status).join(", "));
} finally {
  await serve.close();
}

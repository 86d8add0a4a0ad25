// A pipeline of handlers that call one another: node examples/pipeline/main.ts
// One route in front; the steps behind it have none and are reached by handles alone. What the first step streams arrives line by line.
// Ports come from HEADGATE_HTTP_PORT, HEADGATE_CONTROL_PORT and HEADGATE_ADMIN_PORT (0: any free one), else 8000 to 8002;
// HEADGATE_STATE_DIR says where the state lies.

import { handler, start } from "headgate";
import type { analyse } from "./handlers.ts";

const FILE = "./examples/pipeline/handlers.ts";
const step = handler<typeof import("./handlers.ts")>;

const serve = await start();
try {
  await serve.createBackend("split", step(FILE, "split"));
  await serve.createBackend({
    name: "sentiment",
    handler: step(FILE, "Sentiment"),
    args: [{ good: 0.5, wonderful: 1, bad: -0.5, rain: -0.25 }],
    config: { maxBatchSize: 16 },
  });
  await serve.createBackend({ name: "keywords", handler: step(FILE, "keywords"), config: { numReplicas: 2 } });
  await serve.createBackend("analyse", step(FILE, "analyse"));
  for (const backend of ["split", "sentiment", "keywords"]) await serve.createEndpoint(backend, { backend });
  await serve.createEndpoint("analyse", { backend: "analyse", route: "/analyse", methods: ["POST"] });

  const text = "What a wonderful morning! The rain was bad. We had good coffee, and nobody complained.";
  const body = JSON.stringify({ text });
  const response = await fetch(`${serve.httpUrl}/analyse`, { method: "POST", body });
  console.log(`over HTTP (${response.headers.get("content-type")}):`);
  for await (const lines of response.body?.pipeThrough(new TextDecoderStream()) ?? []) process.stdout.write(lines);

  console.log("from a program, typed by the handler:");
  for await (const { sentiment, keywords } of await serve.handle<typeof analyse>("analyse").call({ text })) {
    console.log(`${sentiment} ${keywords.join(", ")}`);
  }
} finally {
  await serve.close();
}

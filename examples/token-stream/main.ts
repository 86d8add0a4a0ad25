// Streaming tokens: node examples/token-stream/main.ts, then open the address that it prints, or ask with curl. Ctrl-C ends it.
// Ports come from HEADGATE_HTTP_PORT, HEADGATE_CONTROL_PORT and HEADGATE_ADMIN_PORT (0: any free one), else 8000 to 8002;
// HEADGATE_STATE_DIR says where the state lies.

import { handler, start } from "headgate";

const serve = await start({ root: import.meta.dirname });
// A stream counts as a request for as long as it lasts.
const config = { maxConcurrentQueries: 1_000 };
await serve.createBackend({ name: "tokens", handler: handler<typeof import("./tokens.ts")>("./tokens.ts", "Tokens"), config });
await serve.createEndpoint("tokens", { backend: "tokens", route: "/tokens" });
console.log(`open ${serve.httpUrl}/tokens`);
console.log(`or   curl -N "${serve.httpUrl}/tokens?prompt=hello&count=5"`);

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void serve.shutdown());

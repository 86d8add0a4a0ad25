// A chat over WebSocket: node examples/chat/main.ts, then open the address that it prints in two windows. Ctrl-C ends it.
// Ports come from HEADGATE_HTTP_PORT, HEADGATE_CONTROL_PORT and HEADGATE_ADMIN_PORT (0: any free one), else 8000 to 8002;
// HEADGATE_STATE_DIR says where the state lies.

import { handler, start } from "headgate";

const serve = await start({ root: import.meta.dirname });
// A WebSocket counts as a request for as long as it is open.
const config = { maxConcurrentQueries: 1_000 };
await serve.createBackend({ name: "chat", handler: handler<typeof import("./chat.ts")>("./chat.ts", "Chat"), config });
await serve.createEndpoint("chat", { backend: "chat", route: "/chat/:room", methods: ["GET"] });
console.log(`open ${serve.httpUrl}/chat/lobby`);

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void serve.shutdown());

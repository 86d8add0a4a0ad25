// The vocabulary that every room speaks.
export * from "./backend.ts";
export * from "./endpoint.ts";
export * from "./faults.ts";
export * from "./handler.ts";
export * from "./limits.ts";
export * from "./names.ts";
export * from "./ports.ts";
export * from "./result.ts";
export * from "./route.ts";
export * from "./text.ts";
export * from "./websocket.ts";

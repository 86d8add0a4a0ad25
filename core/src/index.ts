// The vocabulary that every room speaks.
export * from "./backend.ts";
export type * from "./composition.ts";
export { shown } from "./checks.ts";
export * from "./cors.ts";
export * from "./endpoint.ts";
export * from "./event.ts";
export * from "./faults.ts";
export * from "./handler.ts";
export * from "./http-methods.ts";
export * from "./limits.ts";
export * from "./names.ts";
export * from "./ports.ts";
export * from "./result.ts";
export * from "./route.ts";
export * from "./steering.ts";
export * from "./text.ts";
export * from "./trailers.ts";
export * from "./websocket.ts";

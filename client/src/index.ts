// What callers of an instance use: the control client, and how to find an instance.
export * from "./control.ts";
export * from "./discover.ts";
export type * from "./status.ts";
export { type FedRouter, createRouter } from "./create-router.ts";
export type { Handle, HandleOptions, SendOptions } from "./handle.ts";

// What callers of an instance use: the control client, how to find an instance, and handles.
export * from "./control.ts";
export * from "./discover.ts";
export type * from "./status.ts";
export { type FeedAddress, FedRouter } from "./fed-router.ts";
export { handlesOf } from "./handle.ts";
export { Requester, type RouterSource } from "./requester.ts";
export type { Router } from "./router.ts";

// What callers of an instance use: the control client, and how to find an instance.
export * from "./control.ts";
export * from "./discover.ts";
export type * from "./status.ts";

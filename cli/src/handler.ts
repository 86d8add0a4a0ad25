// What modules with handlers import: "headgate/handler". Light, so that a replica that loads one starts quickly; all of it
// is in "headgate" too, beside what starts and connects.
export { HeadgateError, batched, handler } from "@headgate/core";
export type { BatchContext, BatchFunction, HandlerFunction, HandlerRequest, ServerSentEvent } from "@headgate/core";
export { type EventSource, type EventStreamOptions, eventStream } from "./event-stream.ts";

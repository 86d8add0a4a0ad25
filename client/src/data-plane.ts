// The entry for processes on the request path: routing and links without the control client and its gRPC stack.
export { Call, type CallSink } from "./call.ts";
export { PieceJoiner, lengthOf } from "@headgate/rpc/pieces";
export { MessageLane, type MessageSink, costOf } from "./message-lane.ts";
export { cookieOf } from "./model/cookies.ts";
export { fieldOf } from "./model/steering.ts";
export type { RoutingTable } from "./model/table.ts";
export { FedRouter } from "./fed-router.ts";
export { type CallContext, Requester } from "./requester.ts";
export { type LiveEndpoint, Router } from "./router.ts";
export { type FeedIdentity, type FeedOwner, RoutingFeed } from "./routing-feed.ts";

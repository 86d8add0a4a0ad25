// The API of Headgate: start or connect to an instance, and what authors of handlers need.
export { HeadgateError, batched, handler } from "@headgate/core";
export type {
  AffinityInput,
  BackendConfig,
  BatchContext,
  BatchFunction,
  CorsInput,
  FaultCode,
  Handle,
  HandleOptions,
  Handler,
  HandlerClass,
  HandlerCommand,
  HandlerFunction,
  HandlerReference,
  HandlerRequest,
  Json,
  MatchRuleInput,
  SendOptions,
  ServerSentEvent,
  WebSocketAcceptOptions,
  WebSocketClose,
  WebSocketConnection,
} from "@headgate/core";
export type {
  Backend,
  BridgeStatus,
  Endpoint,
  EndpointChange,
  EndpointSettings,
  InstanceStatus,
  LogLine,
  ReplicaStatus,
} from "@headgate/client";
export { type EventSource, type EventStreamOptions, eventStream } from "./event-stream.ts";
export type { BackendOptions, BackendUpdate, CallOptions, EndpointOptions, EndpointSummary, Instance } from "./instance.ts";
export type { HandlerInput } from "./model/handler-input.ts";
export { type ConnectOptions, type StartOptions, connect, start } from "./start.ts";

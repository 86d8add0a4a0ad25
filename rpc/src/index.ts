// The one gRPC shell of the house: nice-grpc for the control plane. Streams of the request path stand in ./stream.ts.
export * from "./auth.ts";
export * from "./client.ts";
export * from "./convert.ts";
export * from "./convert-endpoint.ts";
export * from "./fault-codec.ts";
export * from "./faults.ts";
export * from "./health.ts";
export * from "./reflection.ts";
export * from "./server.ts";

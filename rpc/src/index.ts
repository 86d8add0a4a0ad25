// The one gRPC shell of the house: nice-grpc for the control plane. Streams of the request path stand in ./stream.ts.
export * from "./client.ts";
export * from "./client.ts";
export * from "./convert.ts";
export * from "./fault-codec.ts";
export * from "./faults.ts";

// The one gRPC shell of the house.
export * from "./convert.ts";
export * from "./faults.ts";

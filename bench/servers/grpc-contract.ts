// ReplicaService.Handle as grpc-js wants it, on the generated codec: no nice-grpc between, which would cost more.
import type { MethodDefinition } from "@grpc/grpc-js";
import { HandleRequest, HandleResponse } from "@headgate/proto/replica";

/** The one method that is used. */
export const handleMethod: MethodDefinition<HandleRequest, HandleResponse> = {
  path: "/headgate.v1.ReplicaService/Handle",
  requestStream: false,
  responseStream: false,
  requestSerialize: (value) => Buffer.from(HandleRequest.encode(value).finish()),
  requestDeserialize: (bytes) => HandleRequest.decode(bytes),
  responseSerialize: (value) => Buffer.from(HandleResponse.encode(value).finish()),
  responseDeserialize: (bytes) => HandleResponse.decode(bytes),
};

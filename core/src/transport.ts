// How a replica is reached: a word that controller, bridges and clients share. What each way is stands in rpc/ and client/.

/**
 * "unary": one Handle call a request. "session": one gRPC stream with many requests. "direct": the messages of that stream on
 * a socket without HTTP/2 around them, which Headgate's own replicas take.
 */
export type Transport = "unary" | "session" | "direct";

/** The transport of a replica that says what it serves. */
export function transportOf(serves: { readonly session: boolean; readonly direct: boolean }): Transport {
  if (!serves.session) return "unary";
  return serves.direct ? "direct" : "session";
}

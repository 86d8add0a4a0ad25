// The fault table: every way in which Headgate refuses or fails, with what it is over HTTP and over gRPC and whether
// a repeat can help. docs/errors.md mirrors it; a test proves that they agree.
// No transport here: rpc/ and http-bridge/ read this table.

/** The gRPC status codes that faults use, by number. */
export const GrpcStatus = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcStatusName = keyof typeof GrpcStatus;

interface FaultRow {
  /** HTTP status of a response that fails so. */
  readonly http: number;
  /** gRPC status of a call that fails so. */
  readonly grpc: GrpcStatusName;
  /** Whether the same call may succeed later without any change to it. */
  readonly retryable: boolean;
  /** A few words for problem+json's title. */
  readonly title: string;
}

const row = (http: number, grpc: GrpcStatusName, retryable: boolean, title: string): FaultRow => ({
  http,
  grpc,
  retryable,
  title,
});

/** Every fault by its code. */
export const FAULTS = {
  // What a control call can be refused for.
  invalid_argument: row(400, "INVALID_ARGUMENT", false, "Invalid argument"),
  unknown_field: row(400, "INVALID_ARGUMENT", false, "Unknown field"),
  request_id_reused: row(400, "INVALID_ARGUMENT", false, "Request id used for another request"),
  unauthenticated: row(401, "UNAUTHENTICATED", false, "Not authenticated"),
  permission_denied: row(403, "PERMISSION_DENIED", false, "Not allowed"),
  backend_not_found: row(404, "NOT_FOUND", false, "No such backend"),
  endpoint_not_found: row(404, "NOT_FOUND", false, "No such endpoint"),
  source_not_found: row(404, "NOT_FOUND", false, "No such log source"),
  backend_exists: row(409, "ALREADY_EXISTS", false, "Backend exists"),
  endpoint_exists: row(409, "ALREADY_EXISTS", false, "Endpoint exists"),
  route_taken: row(409, "ALREADY_EXISTS", false, "Route taken"),
  backend_in_use: row(409, "FAILED_PRECONDITION", false, "Backend in use"),
  backend_not_ready: row(409, "FAILED_PRECONDITION", true, "Backend not ready"),
  backend_changed: row(409, "ABORTED", true, "Backend changed meanwhile"),
  // What can go wrong when a replica starts.
  module_not_found: row(409, "FAILED_PRECONDITION", false, "Module not found"),
  module_outside_root: row(409, "FAILED_PRECONDITION", false, "Module outside the root"),
  export_not_found: row(409, "FAILED_PRECONDITION", false, "Export not found"),
  constructor_failed: row(409, "FAILED_PRECONDITION", false, "Constructor failed"),
  constructor_timeout: row(409, "FAILED_PRECONDITION", false, "Constructor took too long"),
  replica_exited: row(409, "FAILED_PRECONDITION", false, "Replica exited while starting"),
  reconfigure_failed: row(409, "FAILED_PRECONDITION", false, "Reconfigure failed"),
  // What a request can meet on its way in.
  malformed_request: row(400, "INVALID_ARGUMENT", false, "Malformed request"),
  route_not_found: row(404, "NOT_FOUND", false, "No such route"),
  preview_unknown: row(400, "INVALID_ARGUMENT", false, "Preview of an unknown backend"),
  method_not_allowed: row(405, "UNIMPLEMENTED", false, "Method not allowed"),
  request_timeout: row(408, "DEADLINE_EXCEEDED", true, "Request not received in time"),
  origin_not_allowed: row(403, "PERMISSION_DENIED", false, "Origin not allowed"),
  body_too_large: row(413, "RESOURCE_EXHAUSTED", false, "Request body too large"),
  expectation_failed: row(417, "INVALID_ARGUMENT", false, "Expectation failed"),
  uri_too_long: row(414, "INVALID_ARGUMENT", false, "URL too long"),
  upgrade_required: row(426, "FAILED_PRECONDITION", false, "WebSocket required"),
  headers_too_large: row(431, "RESOURCE_EXHAUSTED", false, "Header fields too large"),
  websocket_limit: row(503, "RESOURCE_EXHAUSTED", true, "Too many WebSockets"),
  // What a request can meet on its way to a handler and in it.
  handler_error: row(500, "UNKNOWN", false, "Handler failed"),
  handler_result_invalid: row(500, "INTERNAL", false, "Handler's result cannot be sent"),
  batch_length_mismatch: row(500, "INTERNAL", false, "Batch handler returned a list of another length"),
  method_not_declared: row(404, "UNIMPLEMENTED", false, "Handler has no such method"),
  websocket_unsupported: row(501, "UNIMPLEMENTED", false, "No WebSockets here"),
  replica_lost: row(502, "UNAVAILABLE", true, "Replica lost"),
  replica_protocol: row(502, "INTERNAL", true, "Replica broke the contract"),
  no_replica: row(503, "UNAVAILABLE", true, "No replica"),
  queue_full: row(503, "RESOURCE_EXHAUSTED", true, "Queue full"),
  deadline_unreachable: row(503, "RESOURCE_EXHAUSTED", true, "Deadline cannot be met"),
  replica_busy: row(503, "RESOURCE_EXHAUSTED", true, "Replica busy"),
  call_blocked: row(503, "RESOURCE_EXHAUSTED", true, "Call blocked by its own callers"),
  call_depth_exceeded: row(508, "FAILED_PRECONDITION", false, "Too many handlers called one another"),
  draining: row(503, "UNAVAILABLE", true, "Draining"),
  not_ready: row(503, "UNAVAILABLE", true, "Not ready"),
  deadline_exceeded: row(504, "DEADLINE_EXCEEDED", true, "Deadline exceeded"),
  cancelled: row(499, "CANCELLED", false, "Cancelled"),
  // What an instance can meet.
  controller_unavailable: row(503, "UNAVAILABLE", true, "Controller not reachable"),
  store_unavailable: row(503, "UNAVAILABLE", true, "State cannot be written"),
  store_corrupt: row(500, "DATA_LOSS", false, "State is damaged"),
  state_dir_in_use: row(409, "FAILED_PRECONDITION", false, "State directory in use"),
  state_dir_unusable: row(500, "FAILED_PRECONDITION", false, "State directory cannot be used"),
  port_taken: row(409, "FAILED_PRECONDITION", false, "Port taken"),
  bind_refused: row(400, "INVALID_ARGUMENT", false, "Address refused"),
  start_failed: row(500, "INTERNAL", false, "Instance did not start"),
  internal: row(500, "INTERNAL", false, "Internal error"),
} as const satisfies Record<string, FaultRow>;

export type FaultCode = keyof typeof FAULTS;

/**
 * Faults of a call that are those of its caller's own request too, where a handler makes the call and does not catch them: they say
 * that the way to an answer is blocked or broken, so that whoever waits for the handler may wait and repeat.
 */
export const PASSED_ON: ReadonlySet<FaultCode> = new Set<FaultCode>([
  "replica_lost",
  "replica_protocol",
  "no_replica",
  "queue_full",
  "deadline_unreachable",
  "call_blocked",
  "call_depth_exceeded",
  "not_ready",
  "deadline_exceeded",
]);

/** A refusal or failure as plain data: what pure code returns. */
export interface Fault {
  readonly code: FaultCode;
  /** One sentence: what happened and what to do. */
  readonly message: string;
  /** Facts by name, such as `endpoint` or `limit`. */
  readonly details: Readonly<Record<string, string>>;
  /** How long to wait before a repeat, in milliseconds; 0 where nothing is known. */
  readonly retryAfterMs: number;
}

/** A pure function's word for a fault. */
export type Refusal = Fault;

/** Makes a fault. */
export function fault(code: FaultCode, message: string, details: Readonly<Record<string, string>> = {}, retryAfterMs = 0): Fault {
  return { code, message, details, retryAfterMs };
}

/** Whether a string is a code of the table. */
export function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(FAULTS, code);
}

/** The one class that shells throw: a fault as an Error. */
export class HeadgateError extends Error {
  override readonly name = "HeadgateError";
  /** A code of docs/errors.md. */
  readonly code: FaultCode;
  /** Facts by name, such as `endpoint` or `limit`. */
  readonly details: Readonly<Record<string, string>>;
  /** Whether the same call may succeed later without any change to it. */
  readonly retryable: boolean;
  /** How long to wait before a repeat, in milliseconds; 0 where nothing is known. */
  readonly retryAfterMs: number;
  /** Id of the request that failed, as the logs have it; empty: it was none, or is not known. */
  readonly requestId: string;

  constructor(source: Fault, options?: ErrorOptions) {
    super(source.message, options);
    this.code = source.code;
    this.details = source.details;
    this.retryable = FAULTS[source.code].retryable;
    this.retryAfterMs = source.retryAfterMs;
    this.requestId = source.details.requestId ?? "";
  }
}

/** Throws a HeadgateError with this fault. */
export function refuse(code: FaultCode, message: string, details: Readonly<Record<string, string>> = {}): never {
  throw new HeadgateError(fault(code, message, details));
}

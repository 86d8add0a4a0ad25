// The limits that are on by default, in one table. docs/limits.md mirrors it; a test proves that they agree.
// Settings of a backend or endpoint stand in backend.ts and endpoint.ts; their bounds stand here.

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every limit by name, with its unit in the name. */
export const LIMITS = {
  headerBytes: 60 * KIB,
  headerFields: 100,
  urlBytes: 8 * KIB,
  requestBodyBytes: 10 * MIB,
  maxRequestBodyBytes: 1024 * MIB,
  grpcMessageBytes: 4 * MIB,
  bodyChunkBytes: 64 * KIB,
  streamWindowBytes: 256 * KIB,
  sessionStreams: 10_000,
  connections: 10_000,
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 300_000,
  keepAliveTimeoutMs: 75_000,
  requestTimeoutMs: 60_000,
  maxRequestTimeoutMs: 86_400_000,
  drainTimeoutMs: 30_000,
  maxDrainTimeoutMs: 3_600_000,
  constructorTimeoutMs: 60_000,
  restartBackoffMinMs: 1_000,
  restartBackoffMaxMs: 60_000,
  replicaWaitMs: 3_000,
  retryBudgetPercent: 20,
  numReplicas: 1_000,
  maxConcurrentQueries: 100_000,
  maxQueuedRequests: 1_000_000,
  maxBatchSize: 10_000,
  batchWaitTimeoutMs: 60_000,
  maxConcurrentBatches: 1_000,
  inlineSourceBytes: 1 * MIB,
  argsBytes: 1 * MIB,
  args: 256,
  envVariables: 256,
  envValueBytes: 32 * KIB,
  methodsPerBackend: 100,
  backends: 1_000,
  endpoints: 1_000,
  backendsPerEndpoint: 100,
  shadowsPerEndpoint: 16,
  httpMethodsPerEndpoint: 16,
  routeBytes: 1 * KIB,
  routeParams: 16,
  commandWords: 256,
  requestIdBytes: 128,
  rememberedRequestIds: 1_000,
  loadReportMs: 2_000,
  logFileBytes: 16 * MIB,
  logLineBytes: 64 * KIB,
} as const;

export type LimitName = keyof typeof LIMITS;

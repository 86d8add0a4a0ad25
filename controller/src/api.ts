// ControllerService: what operators call.
//
// Guarantees. A success is durable and in force: creates and updates return when every bridge that serves runs them, deletes
// when what they removed is gone. A failure may have happened, so every call can be repeated: by content, or by request_id,
// the same answer comes again. A caller that leaves stops nothing. Rules stand in model/desired.ts; here is only waiting.

import { createHash } from "node:crypto";
import {
  type BackendName,
  type BackendSpec,
  HeadgateError,
  LIMITS,
  type Result,
  fault,
  isJson,
  parseBackendConfig,
  parseBackendName,
  parseEndpointName,
  parseEndpointSpec,
  parseHandler,
  parseProportion,
  parseTraffic,
} from "@headgate/core";
import * as pb from "@headgate/proto/controller";
import {
  backendSpecFromProto,
  configChangesFromProto,
  endpointChangesFromProto,
  endpointSpecFromProto,
  handlerFromProto,
} from "@headgate/rpc";
import type { Bridges } from "./bridges.ts";
import type { Cluster } from "./cluster.ts";
import { streamLogs } from "./logs.ts";
import { type Command, backendNotFound, endpointNotFound } from "./model/desired.ts";
import { checkModule } from "./modules.ts";
import { backendStatus, bridgeStatuses, endpointStatus } from "./status-view.ts";
import type { Store } from "./store.ts";

/** What the service is made of. */
export interface ApiParts {
  readonly cluster: Cluster;
  readonly bridges: Bridges;
  readonly store: Store;
  readonly root: string;
  readonly logDir: string;
  readonly version: string;
  readonly startedAtMs: number;
  /** An empty one is not served. */
  readonly urls: () => { readonly httpUrl: string; readonly h2cUrl: string; readonly httpsUrl: string; readonly adminUrl: string };
  /** Ends bridges and replicas; the process ends soon after. */
  readonly shutdown: (force: boolean) => Promise<void>;
}

function valid<T>(result: Result<T, ConstructorParameters<typeof HeadgateError>[0]>): T {
  if (result.ok) return result.value;
  throw new HeadgateError(result.error);
}

/** The service. */
export function controllerService(parts: ApiParts): pb.ControllerServiceImplementation {
  const { cluster } = parts;

  async function inForce(signal: AbortSignal): Promise<void> {
    const { revision } = cluster.desired;
    await cluster.until(() => cluster.feed.atRevision(revision), signal);
  }

  async function rollout(name: string, revision: number, signal: AbortSignal): Promise<void> {
    await cluster.until(() => {
      const end = cluster.rolloutEnd(name, revision);
      if (end?.kind === "failed") throw new HeadgateError(end.reason);
      const backend = cluster.desired.backends.get(name);
      if (backend === undefined)
        throw new HeadgateError(fault("backend_changed", `backend "${name}" was deleted meanwhile`, { backend: name }));
      return end !== null || backend.rollout.phase === "steady" || backend.revision > revision;
    }, signal);
  }

  function backend(name: string): pb.CreateBackendResponse {
    const found = cluster.desired.backends.get(name);
    if (found === undefined) throw new HeadgateError(backendNotFound(name));
    return { backend: backendStatus(cluster, found) };
  }

  function endpoint(name: string): pb.CreateEndpointResponse {
    const found = cluster.desired.endpoints.get(name);
    if (found === undefined) throw new HeadgateError(endpointNotFound(name));
    return { endpoint: endpointStatus(found) };
  }

  async function changeEndpoint(command: Command, name: string, signal: AbortSignal): Promise<pb.CreateEndpointResponse> {
    cluster.apply(command);
    await inForce(signal);
    return endpoint(name);
  }

  /** Answers a repeated request id with what was answered before. */
  async function once<Request extends { readonly requestId: string }, Response>(
    method: string,
    request: Request,
    codec: { readonly request: Codec<Request>; readonly response: Codec<Response> },
    work: () => Promise<Response>,
  ): Promise<Response> {
    const { requestId } = request;
    if (requestId === "") return work();
    if (requestId.length > LIMITS.requestIdBytes) {
      throw new HeadgateError(
        fault("invalid_argument", `request_id must be at most ${LIMITS.requestIdBytes} bytes`, { field: "request_id" }),
      );
    }
    const hash = createHash("sha256").update(method).update(codec.request.encode(request).finish()).digest("hex");
    const before = parts.store.request(requestId);
    if (before !== null) {
      if (before.hash !== hash)
        throw new HeadgateError(fault("request_id_reused", `request_id "${requestId}" was used for another request`, { requestId }));
      return codec.response.decode(before.response);
    }
    const response = await work();
    parts.store.remember(requestId, { hash, response: codec.response.encode(response).finish() });
    return response;
  }

  return {
    createBackend: (request, { signal }) =>
      once("CreateBackend", request, { request: pb.CreateBackendRequest, response: pb.CreateBackendResponse }, async () => {
        const spec = valid(backendSpecFromProto(request.spec));
        checkModule(spec.handler, parts.root);
        // Replicas of a deleted backend of this name that still take requests would be taken for the new one's.
        await cluster.until(
          () => cluster.desired.backends.has(spec.name) || cluster.pool.of(spec.name).every((replica) => replica.state === "draining"),
          signal,
        );
        const after = cluster.apply({ kind: "createBackend", spec });
        await rollout(spec.name, after.backends.get(spec.name)?.revision ?? 0, signal);
        return backend(spec.name);
      }),

    getBackend: async ({ name }) => backend(name),

    listBackends: async () => ({
      backends: [...cluster.desired.backends.values()]
        .map((one) => backendStatus(cluster, one))
        .sort((a, b) => ((a.spec?.name ?? "") < (b.spec?.name ?? "") ? -1 : 1)),
    }),

    updateBackend: (request, { signal }) =>
      once("UpdateBackend", request, { request: pb.UpdateBackendRequest, response: pb.UpdateBackendResponse }, async () => {
        const spec = updatedSpec(cluster, request);
        checkModule(spec.handler, parts.root);
        const after = cluster.apply({ kind: "updateBackend", spec, restart: request.restart });
        await rollout(spec.name, after.backends.get(spec.name)?.revision ?? 0, signal);
        await inForce(signal);
        return backend(spec.name);
      }),

    deleteBackend: (request, { signal }) =>
      once("DeleteBackend", request, { request: pb.DeleteBackendRequest, response: pb.DeleteBackendResponse }, async () => {
        const name: BackendName = valid(parseBackendName(request.name));
        const existed = cluster.desired.backends.has(name);
        cluster.apply({ kind: "deleteBackend", name });
        if (request.force) cluster.force(name);
        await cluster.until(() => cluster.desired.backends.has(name) || cluster.pool.of(name).length === 0, signal);
        return { existed };
      }),

    createEndpoint: (request, { signal }) =>
      once("CreateEndpoint", request, { request: pb.CreateEndpointRequest, response: pb.CreateEndpointResponse }, async () => {
        const spec = valid(endpointSpecFromProto(request.spec));
        return changeEndpoint({ kind: "createEndpoint", spec }, spec.name, signal);
      }),

    getEndpoint: async ({ name }) => endpoint(name),

    listEndpoints: async () => ({
      endpoints: [...cluster.desired.endpoints.values()]
        .map(endpointStatus)
        .sort((a, b) => ((a.spec?.name ?? "") < (b.spec?.name ?? "") ? -1 : 1)),
    }),

    updateEndpoint: (request, { signal }) =>
      once("UpdateEndpoint", request, { request: pb.UpdateEndpointRequest, response: pb.UpdateEndpointResponse }, async () => {
        const existing = cluster.desired.endpoints.get(request.name);
        if (existing === undefined) throw new HeadgateError(endpointNotFound(request.name));
        const { spec } = existing;
        const changed = valid(parseEndpointSpec({ ...spec, ...valid(endpointChangesFromProto(request)) }));
        return changeEndpoint({ kind: "updateEndpoint", spec: changed }, spec.name, signal);
      }),

    deleteEndpoint: (request, { signal }) =>
      once("DeleteEndpoint", request, { request: pb.DeleteEndpointRequest, response: pb.DeleteEndpointResponse }, async () => {
        const name = valid(parseEndpointName(request.name));
        const existed = cluster.desired.endpoints.has(name);
        cluster.apply({ kind: "deleteEndpoint", name });
        await inForce(signal);
        return { existed };
      }),

    setTraffic: (request, { signal }) =>
      once("SetTraffic", request, { request: pb.SetTrafficRequest, response: pb.SetTrafficResponse }, async () => {
        const name = valid(parseEndpointName(request.endpoint));
        const traffic = valid(parseTraffic(request.traffic));
        return changeEndpoint({ kind: "setTraffic", endpoint: name, traffic }, name, signal);
      }),

    setShadow: (request, { signal }) =>
      once("SetShadow", request, { request: pb.SetShadowRequest, response: pb.SetShadowResponse }, async () => {
        const name = valid(parseEndpointName(request.endpoint));
        const shadow = { backend: valid(parseBackendName(request.backend)), proportion: valid(parseProportion(request.proportion)) };
        return changeEndpoint({ kind: "setShadow", endpoint: name, shadow }, name, signal);
      }),

    getStatus: async () => instanceStatus(parts),

    async *streamLogs(request, { signal }) {
      const { source } = request;
      const known = source === "" || cluster.desired.backends.has(source) || cluster.pool.entries.has(source);
      yield* streamLogs(parts.logDir, request, known, signal);
    },

    shutdown: async ({ force }) => {
      await parts.shutdown(force);
      return {};
    },
  };
}

/** Encodes and decodes one message. */
interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** All of an instance. */
export function instanceStatus({ cluster, bridges, version, startedAtMs, urls }: ApiParts): pb.GetStatusResponse {
  const byName = (
    a: { readonly spec?: { readonly name: string } | undefined },
    b: { readonly spec?: { readonly name: string } | undefined },
  ): number => ((a.spec?.name ?? "") < (b.spec?.name ?? "") ? -1 : 1);
  return {
    controller: {
      pid: process.pid,
      version,
      epoch: cluster.epoch,
      revision: BigInt(cluster.desired.revision),
      startedAtMs: BigInt(startedAtMs),
      memoryBytes: BigInt(process.memoryUsage.rss()),
    },
    bridges: bridgeStatuses(bridges, cluster),
    backends: [...cluster.desired.backends.values()].map((one) => backendStatus(cluster, one)).sort(byName),
    endpoints: [...cluster.desired.endpoints.values()].map(endpointStatus).sort(byName),
    ...urls(),
  };
}

/** A backend's spec with the changes of a request. Throws where one of them is invalid or there is no such backend. */
function updatedSpec(cluster: Cluster, request: pb.UpdateBackendRequest): BackendSpec {
  const existing = cluster.desired.backends.get(request.name);
  if (existing === undefined) throw new HeadgateError(backendNotFound(request.name));
  const { spec } = existing;
  const changes = valid(configChangesFromProto(request.config, request.configFields));
  const config = valid(parseBackendConfig(changes, spec.config));
  const handler = request.handler === undefined ? spec.handler : valid(parseHandler(valid(handlerFromProto(request.handler))));
  const args = request.args === undefined ? spec.args : request.args.values.map(jsonOf);
  return { ...spec, handler, args, config };
}

function jsonOf(value: unknown) {
  if (isJson(value)) return value;
  throw new HeadgateError(fault("invalid_argument", "a constructor argument is not a JSON value", { field: "args" }));
}

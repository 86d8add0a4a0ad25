// The typed control client: every call of ControllerService in the words of the domain. Proto messages stop here.
// What can be checked without the controller is checked here too, so that a mistake costs no round trip; the controller
// checks all of it again. Finding the instance stands in discover.ts.

import {
  type AffinityInput,
  type BackendConfig,
  type CorsInput,
  type Handler,
  HeadgateError,
  type Json,
  type MatchRuleInput,
  type Refusal,
  type Result,
  fault,
  parseAffinity,
  parseBackendConfig,
  parseBackendSpec,
  parseCors,
  parseEndpointSpec,
  parseHandler,
  parseMatches,
  parsePreviewHeader,
  parseShardKey,
  parseTraffic,
} from "@headgate/core";
import type { BackendConfig as PbConfig } from "@headgate/proto/backend";
import { ControllerServiceDefinition, type UpdateEndpointRequest } from "@headgate/proto/controller";
import {
  affinityToProto,
  backendSpecToProto,
  corsToProto,
  endpointSpecFromProto,
  endpointSpecToProto,
  handlerToProto,
  openChannel,
  ruleToProto,
} from "@headgate/rpc";
import { backendOfKey } from "./model/split.ts";
import { backendFromProto, endpointFromProto, statusFromProto } from "./status-from-proto.ts";
import type { Backend, Endpoint, InstanceStatus, LogLine } from "./status.ts";

/** What every call takes. */
export interface ControlOptions {
  /** Ends the wait; what was asked for may have happened nevertheless. */
  readonly signal?: AbortSignal | undefined;
  /** Makes a repeat of a change safe: the same id with the same content gives the same answer again. */
  readonly requestId?: string | undefined;
}

/** A backend as asked for; what is left out has its default. */
export interface BackendRequest {
  readonly name: string;
  readonly handler: Handler;
  readonly args?: readonly unknown[] | undefined;
  readonly config?: Partial<BackendConfig> | undefined;
}

/** A change of a backend; what is left out stays. */
export interface BackendChange {
  readonly config?: Partial<BackendConfig> | undefined;
  readonly handler?: Handler | undefined;
  readonly args?: readonly unknown[] | undefined;
  /** Start new processes even where nothing else changes, as after an edit of the handler's module. */
  readonly restart?: boolean | undefined;
}

/** What an endpoint can be told beside its route, methods and traffic. */
export interface EndpointSettings {
  /** Deadline of a request, in milliseconds. */
  readonly requestTimeoutMs?: number | undefined;
  /** Largest request body, in bytes. */
  readonly maxBodyBytes?: number | undefined;
  /** Which pages of other origins may call it; null: what the handler says. */
  readonly cors?: CorsInput | null | undefined;
  /** Sticky users, by a cookie; null: none. */
  readonly affinity?: AffinityInput | null | undefined;
  /** Rules before the split: the first that a request meets decides. */
  readonly matches?: readonly MatchRuleInput[] | undefined;
  /** Request field that names the backend to go to, weight 0 included; null: none. */
  readonly previewHeader?: string | null | undefined;
}

/** An endpoint as asked for; what is left out has its default. */
export interface EndpointRequest extends EndpointSettings {
  readonly name: string;
  /** HTTP path pattern; null or left out: headless. */
  readonly route?: string | null | undefined;
  readonly methods?: readonly string[] | undefined;
  /** Weight by backend. */
  readonly traffic: Readonly<Record<string, number>>;
  /** Proportion by backend. */
  readonly shadows?: Readonly<Record<string, number>> | undefined;
}

/** A change of an endpoint; what is left out stays. */
export interface EndpointChange extends EndpointSettings {
  /** Null makes it headless. */
  readonly route?: string | null | undefined;
  readonly methods?: readonly string[] | undefined;
}

/** Which log lines to read. */
export interface LogQuery extends ControlOptions {
  /** Name of a backend, or id of a replica or bridge; left out: all. */
  readonly source?: string | undefined;
  readonly follow?: boolean | undefined;
  /** How many of each source's last lines come first. */
  readonly tailLines?: number | undefined;
}

/** Calls of the control plane. Each rejects with a HeadgateError. */
export interface ControlClient extends Disposable {
  createBackend(request: BackendRequest, options?: ControlOptions): Promise<Backend>;
  getBackend(name: string, options?: ControlOptions): Promise<Backend>;
  listBackends(options?: ControlOptions): Promise<readonly Backend[]>;
  updateBackend(name: string, change: BackendChange, options?: ControlOptions): Promise<Backend>;
  /** Resolves to whether there was such a backend. */
  deleteBackend(name: string, options?: ControlOptions & { readonly force?: boolean | undefined }): Promise<boolean>;
  createEndpoint(request: EndpointRequest, options?: ControlOptions): Promise<Endpoint>;
  getEndpoint(name: string, options?: ControlOptions): Promise<Endpoint>;
  listEndpoints(options?: ControlOptions): Promise<readonly Endpoint[]>;
  updateEndpoint(name: string, change: EndpointChange, options?: ControlOptions): Promise<Endpoint>;
  /** Resolves to whether there was such an endpoint. */
  deleteEndpoint(name: string, options?: ControlOptions): Promise<boolean>;
  setTraffic(endpoint: string, weights: Readonly<Record<string, number>>, options?: ControlOptions): Promise<Endpoint>;
  /** The backend that a shard key leads to by an endpoint's split. */
  whichBackend(endpoint: string, key: string, options?: ControlOptions): Promise<string>;
  setShadow(endpoint: string, backend: string, proportion: number, options?: ControlOptions): Promise<Endpoint>;
  status(options?: ControlOptions): Promise<InstanceStatus>;
  logs(query?: LogQuery): AsyncIterable<LogLine>;
  shutdown(options?: ControlOptions & { readonly force?: boolean | undefined }): Promise<void>;
  close(): void;
}

/** Deadline of calls that only look. */
const LOOK_TIMEOUT_MS = 10_000;

function checked<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new HeadgateError(result.error);
}

const weighted = (weights: Readonly<Record<string, number>>): { backend: string; weight: number }[] =>
  Object.entries(weights).map(([backend, weight]) => ({ backend, weight }));

/** Fields that go back to their default where a change names them empty, and their names on the wire. */
const REPLACED = { env: "env", methods: "methods", maxBatchSize: "max_batch_size" } as const;

/** The message of the settings that a change names, and the names of those that are replaced whole. */
function configChange(config: Partial<BackendConfig>): { config: Partial<PbConfig>; configFields: string[] } {
  checked(parseBackendConfig(config));
  const { env, methods, maxBatchSize, ...rest } = config;
  const fields = [...(["env", "methods", "maxBatchSize"] as const)].filter((field) => config[field] !== undefined);
  return {
    config: {
      ...rest,
      ...(env === undefined ? {} : { env: { ...env } }),
      ...(methods === undefined ? {} : { methods: [...methods] }),
      ...(maxBatchSize === undefined || maxBatchSize === null ? {} : { maxBatchSize }),
    },
    configFields: fields.map((field) => REPLACED[field]),
  };
}

/** The message of the settings of an endpoint that a change names, and the names of those that it ends. */
function endpointChange({ route, methods, requestTimeoutMs, maxBodyBytes, ...rules }: EndpointChange): Partial<UpdateEndpointRequest> {
  const cors = checked(parseCors(rules.cors));
  const affinity = checked(parseAffinity(rules.affinity));
  const matches = checked(parseMatches(rules.matches));
  const previewHeader = checked(parsePreviewHeader(rules.previewHeader));
  const ended: readonly (string | false)[] = [
    rules.cors === null && "cors",
    rules.affinity === null && "affinity",
    rules.matches !== undefined && matches.length === 0 && "matches",
  ];
  return {
    ...(route === undefined ? {} : { route: route ?? "" }),
    ...(methods === undefined ? {} : { methods: [...methods] }),
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    ...(maxBodyBytes === undefined ? {} : { maxBodyBytes: BigInt(maxBodyBytes) }),
    ...(cors === null ? {} : { cors: corsToProto(cors) }),
    ...(affinity === null ? {} : { affinity: affinityToProto(affinity) }),
    matches: matches.map(ruleToProto),
    ...(rules.previewHeader === undefined ? {} : { previewHeader: previewHeader ?? "" }),
    replacedFields: ended.filter((field) => field !== false),
  };
}

/** Opens a connection to the controller; nothing is sent before the first call. */
export function openControl(config: { readonly address: string; readonly token: string }): ControlClient {
  const channel = openChannel(config);
  const client = channel.client(ControllerServiceDefinition);
  let closed = false;
  /** The client, as long as the connection is open: the channel itself would fail with words of its own. */
  const rpc = (): typeof client => {
    if (closed)
      throw new HeadgateError(
        fault("controller_unavailable", "this connection to the controller is closed; open another one with connect()"),
      );
    return client;
  };
  const change = (options: ControlOptions | undefined): { signal?: AbortSignal } =>
    options?.signal === undefined ? {} : { signal: options.signal };
  const look = (options: ControlOptions | undefined): { signal?: AbortSignal; timeoutMs: number } => ({
    ...change(options),
    timeoutMs: LOOK_TIMEOUT_MS,
  });
  const id = (options: ControlOptions | undefined): string => options?.requestId ?? "";
  const close = (): void => {
    closed = true;
    channel.close();
  };
  return {
    async createBackend({ name, handler, args = [], config }, options) {
      const spec = checked(parseBackendSpec({ name, handler, args, config }));
      const reply = await rpc().createBackend({ requestId: id(options), spec: backendSpecToProto(spec) }, change(options));
      return backendFromProto(reply.backend);
    },
    getBackend: async (name, options) => backendFromProto((await rpc().getBackend({ name }, look(options))).backend),
    listBackends: async (options) => (await rpc().listBackends({}, look(options))).backends.map(backendFromProto),
    async updateBackend(name, { config, handler, args, restart = false }, options) {
      const reply = await rpc().updateBackend(
        {
          requestId: id(options),
          name,
          restart,
          ...(config === undefined ? {} : configChange(config)),
          ...(handler === undefined ? {} : { handler: handlerToProto(checked(parseHandler(handler))) }),
          // The controller checks that they are JSON; what is not cannot be put into the message.
          ...(args === undefined ? {} : { args: { values: [...args] as Json[] } }),
        },
        change(options),
      );
      return backendFromProto(reply.backend);
    },
    deleteBackend: async (name, options) =>
      (await rpc().deleteBackend({ requestId: id(options), name, force: options?.force ?? false }, change(options))).existed,
    async createEndpoint({ traffic, shadows = {}, ...rest }, options) {
      const spec = checked(
        parseEndpointSpec({
          ...rest,
          traffic: weighted(traffic),
          shadows: Object.entries(shadows).map(([backend, proportion]) => ({ backend, proportion })),
        }),
      );
      const reply = await rpc().createEndpoint({ requestId: id(options), spec: endpointSpecToProto(spec) }, change(options));
      return endpointFromProto(reply.endpoint);
    },
    getEndpoint: async (name, options) => endpointFromProto((await rpc().getEndpoint({ name }, look(options))).endpoint),
    listEndpoints: async (options) => (await rpc().listEndpoints({}, look(options))).endpoints.map(endpointFromProto),
    async updateEndpoint(name, wanted, options) {
      const reply = await rpc().updateEndpoint({ requestId: id(options), name, ...endpointChange(wanted) }, change(options));
      return endpointFromProto(reply.endpoint);
    },
    deleteEndpoint: async (name, options) => (await rpc().deleteEndpoint({ requestId: id(options), name }, change(options))).existed,
    async setTraffic(endpoint, weights, options) {
      const traffic = checked(parseTraffic(weighted(weights))).map((share) => ({ ...share }));
      const reply = await rpc().setTraffic({ requestId: id(options), endpoint, traffic }, change(options));
      return endpointFromProto(reply.endpoint);
    },
    async setShadow(endpoint, backend, proportion, options) {
      const reply = await rpc().setShadow({ requestId: id(options), endpoint, backend, proportion }, change(options));
      return endpointFromProto(reply.endpoint);
    },
    async whichBackend(name, key, options) {
      checked(parseShardKey(key));
      const { spec } = (await rpc().getEndpoint({ name }, look(options))).endpoint ?? {};
      return backendOfKey(checked(endpointSpecFromProto(spec)).traffic, key);
    },
    status: async (options) => statusFromProto(await rpc().getStatus({}, look(options))),
    async *logs(query = {}) {
      const { source = "", follow = false, tailLines = 0 } = query;
      yield* rpc().streamLogs({ source, follow, tailLines }, change(query));
    },
    async shutdown(options) {
      await rpc().shutdown({ force: options?.force ?? false }, change(options));
    },
    close,
    [Symbol.dispose]: close,
  };
}

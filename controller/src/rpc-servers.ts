// The controller's gRPC: which services there are, where, and who may call which. What the services do stands in their own files.

import { AttachmentServiceDefinition, type AttachmentServiceImplementation } from "@headgate/proto/attachment";
import { ControllerServiceDefinition, type ControllerServiceImplementation } from "@headgate/proto/controller";
import { HealthDefinition } from "@headgate/proto/grpc/health/v1/health";
import { ServerReflectionDefinition as ReflectionDefinition } from "@headgate/proto/grpc/reflection/v1/reflection";
import { ServerReflectionDefinition as ReflectionAlphaDefinition } from "@headgate/proto/grpc/reflection/v1alpha/reflection";
import { RoutingServiceDefinition, type RoutingServiceImplementation } from "@headgate/proto/routing";
import {
  type Guard,
  type RpcServer,
  authServerMiddleware,
  healthService,
  listenRpc,
  reflectionService,
  tokenHash,
  tokenMatches,
} from "@headgate/rpc";

/** What the servers offer. */
export interface RpcServices {
  readonly controller: ControllerServiceImplementation;
  readonly routing: RoutingServiceImplementation;
  readonly attachment: AttachmentServiceImplementation;
  /** The control token. */
  readonly token: string;
  /** The bridge that a token belongs to; null: none. */
  readonly bridgeOfToken: (token: string) => string | null;
  /** Whether a token is some replica's for the routing feed. */
  readonly isReplicaToken: (token: string) => boolean;
  readonly healthy: () => boolean;
  readonly onUnexpected: (error: unknown, path: string) => void;
}

/** Who calls. */
type Principal = "operator" | "bridge" | "replica";

/** Full names of the services, as reflection lists them. */
const SERVED = [
  ControllerServiceDefinition.fullName,
  RoutingServiceDefinition.fullName,
  AttachmentServiceDefinition.fullName,
  HealthDefinition.fullName,
  ReflectionDefinition.fullName,
  ReflectionAlphaDefinition.fullName,
] as const;

/** Serves at all addresses. Rejects with port_taken or start_failed. */
export function serveRpc(services: RpcServices, addresses: readonly string[]): Promise<RpcServer> {
  const control = tokenHash(services.token);
  const guard: Guard<Principal> = {
    identify: (token) => {
      if (tokenMatches(token, control)) return "operator";
      if (services.bridgeOfToken(token) !== null) return "bridge";
      return services.isReplicaToken(token) ? "replica" : null;
    },
    allows: (principal, path) => principal === "operator" || path.startsWith(`/${RoutingServiceDefinition.fullName}/`),
  };
  const served = new Set<string>(SERVED);
  const health = healthService({
    serving: (service) => (service === "" || served.has(service) ? services.healthy() : null),
    onChange: (callback, signal) => {
      const timer = setInterval(callback, 1_000);
      signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    },
  });
  const reflection = reflectionService(SERVED);
  return listenRpc({
    addresses,
    onUnexpected: services.onUnexpected,
    services: (server) => {
      // Replicas are known by the tokens inside their messages; everyone else by the token of the call.
      server.add(AttachmentServiceDefinition, services.attachment);
      const guarded = server.with(authServerMiddleware(guard));
      guarded.add(ControllerServiceDefinition, services.controller);
      guarded.add(RoutingServiceDefinition, services.routing);
      guarded.add(HealthDefinition, health);
      guarded.add(ReflectionDefinition, reflection);
      guarded.add(ReflectionAlphaDefinition, reflection);
    },
  });
}

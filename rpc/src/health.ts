// The standard health service: "" and each service by its full name. Watchers hear of each change.

import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  type HealthServiceImplementation,
} from "@headgate/proto/grpc/health/v1/health";
import { ServerError, Status } from "nice-grpc-common";

/** What the health service tells. */
export interface HealthSource {
  /** Whether a service of this name serves; null: there is none. "" is the whole server. */
  serving(service: string): boolean | null;
  /** Calls back after each change until `signal` aborts. */
  onChange(callback: () => void, signal: AbortSignal): void;
}

/** The service's implementation. */
export function healthService(source: HealthSource): HealthServiceImplementation {
  const statusOf = (service: string): ServingStatus => {
    const serving = source.serving(service);
    if (serving === null) return ServingStatus.SERVICE_UNKNOWN;
    return serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };
  return {
    check: ({ service }) => {
      const status = statusOf(service);
      if (status === ServingStatus.SERVICE_UNKNOWN) throw new ServerError(Status.NOT_FOUND, `there is no service "${service}"`);
      return Promise.resolve({ status });
    },
    async *watch({ service }, { signal }) {
      let wake: (() => void) | null = null;
      const rouse = (): void => wake?.();
      source.onChange(rouse, signal);
      signal.addEventListener("abort", rouse, { once: true });
      let told: ServingStatus | null = null;
      while (!signal.aborted) {
        const status = statusOf(service);
        if (status !== told) {
          told = status;
          yield { status };
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

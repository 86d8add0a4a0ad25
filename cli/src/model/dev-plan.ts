// What `headgate dev` makes of a module's exports: one backend and one endpoint for each function or class. Pure.

import { type BackendSpec, type EndpointSpec, NAME_PATTERN, parseBackendSpec, parseEndpointSpec } from "@headgate/core";
import type { Wanted } from "./plan.ts";

/** Methods at which everything answers while it is being written. */
const ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** What is served of a module, and what cannot be. */
export interface DevPlan extends Wanted {
  /** Exports whose names cannot be those of backends. */
  readonly skipped: readonly string[];
}

/** Backends and endpoints of the exports of a module. `path` is relative to the root. */
export function planDev(path: string, exports: readonly string[]): DevPlan {
  const backends: BackendSpec[] = [];
  const endpoints: EndpointSpec[] = [];
  const skipped: string[] = [];
  for (const exportName of exports) {
    const route = exportName === "default" ? "/*" : `/${exportName}`;
    const backend = NAME_PATTERN.test(exportName)
      ? parseBackendSpec({ name: exportName, handler: { kind: "module", path, exportName }, args: [], config: { drainTimeoutMs: 2000 } })
      : undefined;
    const endpoint = parseEndpointSpec({ name: exportName, route, methods: ALL_METHODS, traffic: [{ backend: exportName, weight: 1 }] });
    if (backend?.ok === true && endpoint.ok) {
      backends.push(backend.value);
      endpoints.push(endpoint.value);
    } else skipped.push(exportName);
  }
  return { backends, endpoints, skipped };
}

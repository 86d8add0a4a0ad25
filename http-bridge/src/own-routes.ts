// Headgate's own paths, below "/-/": what a load balancer and a curious person ask.

import type { Router } from "@headgate/client/data-plane";
import { fault } from "@headgate/core";
import type { BridgeState } from "./bridge-state.ts";
import type { Exchange } from "./exchange.ts";

const JSON_FIELDS = ["content-type", "application/json", "cache-control", "no-store"];

/** Answers a request for one of Headgate's own paths. */
export function answerOwn(exchange: Exchange, path: string, router: Router, state: BridgeState): void {
  if (path !== "/-/healthz" && path !== "/-/routes") {
    exchange.refuse(fault("route_not_found", `Headgate has no ${path.slice(0, 200)}; there are /-/healthz and /-/routes`));
    return;
  }
  const { method } = exchange;
  if (method === "OPTIONS") {
    exchange.answer(204, ["allow", "GET, HEAD, OPTIONS"], "");
    return;
  }
  if (method !== "GET" && method !== "HEAD") {
    exchange.refuse(fault("method_not_allowed", `${path} answers GET alone`), "GET, HEAD, OPTIONS");
    return;
  }
  if (state.draining) exchange.refuse(fault("draining", "this bridge finishes its requests and takes no new ones"));
  else if (router.table === null) exchange.refuse(fault("not_ready", "this bridge has no routing table yet", {}, 1000));
  else if (path === "/-/healthz") exchange.answer(200, JSON_FIELDS, '{"status":"ok"}\n');
  else exchange.answer(200, JSON_FIELDS, `${JSON.stringify(routes(router), null, 2)}\n`);
}

function routes(router: Router): unknown {
  const { table } = router;
  return {
    revision: Number(table?.revision ?? 0n),
    routes: (table?.endpoints ?? [])
      .filter((endpoint) => endpoint.route !== null)
      .map((endpoint) => ({
        route: endpoint.route,
        endpoint: endpoint.name,
        methods: endpoint.allow.split(", "),
        traffic: Object.fromEntries(endpoint.shares.map((share) => [share.name, share.weight])),
      })),
  };
}

// Envoy with a static configuration in front of two bare node:http servers, least request, its default worker threads.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startProcess, until200 } from "../processes.ts";
import type { StartChain } from "./chain.ts";
import { chainOf, startBareServer } from "./node-servers.ts";
import { freePort } from "./ports.ts";

const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function configuration(port: number, upstreams: readonly number[]): unknown {
  const manager = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "bench",
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "node", timeout: "60s" } }],
        },
      ],
    },
  };
  return {
    static_resources: {
      listeners: [
        {
          name: "http",
          address: address(port),
          filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: "node",
          type: "STATIC",
          connect_timeout: "5s",
          lb_policy: "LEAST_REQUEST",
          load_assignment: {
            cluster_name: "node",
            endpoints: [{ lb_endpoints: upstreams.map((each) => ({ endpoint: { address: address(each) } })) }],
          },
        },
      ],
    },
  };
}

/** The chain on a given Envoy binary. */
export function startEnvoy(binary: string): StartChain {
  return async (site) => {
    await using stack = new AsyncDisposableStack();
    const first = await startBareServer(site);
    stack.use(first.server);
    const second = await startBareServer(site);
    stack.use(second.server);
    const port = await freePort();
    const path = join(site.directory, "envoy.json");
    writeFileSync(path, JSON.stringify(configuration(port, [first.port, second.port])));
    const args = ["-c", path, "--disable-hot-restart", "--log-level", "warn"];
    const envoy = stack.use(startProcess({ command: binary, args, log: join(site.directory, "envoy.log") }));
    const url = `http://127.0.0.1:${port}`;
    await until200(`${url}/small`, 20_000, envoy.ended, site.signal);
    return chainOf(url, stack.move(), [envoy, first.server, second.server]);
  };
}

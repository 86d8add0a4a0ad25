// The files of deploy/ say what the code says: ports, limits, idle times, flags.

import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import { parse } from "yaml";

const read = (name: string): string => readFileSync(new URL(`../deploy/${name}`, import.meta.url), "utf8");

test("the edge forwards to the default HTTP port and gives up idle connections before the bridge does", () => {
  const { static_resources: resources } = parse(read("envoy/edge.yaml"));
  const [cluster] = resources.clusters;
  const { address, port_value: port } = cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address;
  expect([address, port]).toEqual(["127.0.0.1", 8000]);
  const options = Object.values(cluster.typed_extension_protocol_options)[0] as { common_http_protocol_options: { idle_timeout: string } };
  expect(Number.parseInt(options.common_http_protocol_options.idle_timeout, 10) * 1000).toBeLessThan(LIMITS.keepAliveTimeoutMs);
});

test("the edge's limits are the bridge's", () => {
  const { static_resources: resources } = parse(read("envoy/edge.yaml"));
  const manager = resources.listeners[0].filter_chains[0].filters[0].typed_config;
  expect(manager.max_request_headers_kb * 1024).toBe(LIMITS.headerBytes);
  expect(manager.common_http_protocol_options.max_headers_count).toBe(LIMITS.headerFields);
  expect(Number.parseInt(manager.request_headers_timeout, 10) * 1000).toBe(LIMITS.headerTimeoutMs);
});

test("the service leaves replicas and bridges running when its controller fails", () => {
  const unit = read("systemd/headgate.service");
  expect(unit).toContain("KillMode=process");
  expect(unit).toMatch(/ExecStart=\S+\/headgate start --state-dir \S+/);
});

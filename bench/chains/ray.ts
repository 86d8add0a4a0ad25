// Ray Serve, with its default proxy or with HAProxy and direct ingress, on a Python that has ray[serve].
// Ray makes daemons: its processes are found, counted and ended by an environment mark that only this run knows.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endMarked, markedPids, startProcess, until200 } from "../processes.ts";
import type { StartChain } from "./chain.ts";
import { freePort } from "./ports.ts";

const APP = join(import.meta.dirname, "..", "servers", "ray_app.py");

/** The chain on a given Python. */
export function startRay(python: string, haproxy: boolean): StartChain {
  return async (site) => {
    await using stack = new AsyncDisposableStack();
    const port = await freePort();
    const name = "HEADGATE_BENCH_MARK";
    const mark = randomUUID();
    // Ray and HAProxy hang long names below it, and a socket's path has an end at about 100 bytes.
    const short = mkdtempSync(join(tmpdir(), "hgb-"));
    stack.defer(() => rmSync(short, { recursive: true, force: true }));
    const scratch = (file: string): string => join(short, file);
    const ways = {
      RAY_SERVE_ENABLE_HA_PROXY: "1",
      RAY_SERVE_HAPROXY_CONFIG_FILE_LOC: scratch("haproxy.cfg"),
      RAY_SERVE_HAPROXY_SOCKET_PATH: scratch("haproxy.sock"),
      RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH: scratch("metrics.sock"),
      RAY_SERVE_HAPROXY_SERVER_STATE_BASE: short,
      RAY_SERVE_HAPROXY_SERVER_STATE_FILE: scratch("server-state"),
    };
    stack.defer(() => endMarked(`${name}=${mark}`));
    const driver = stack.use(
      startProcess({
        command: python,
        args: [APP, String(port), short],
        env: { [name]: mark, RAY_USAGE_STATS_ENABLED: "0", ...(haproxy ? ways : {}) },
        log: join(site.directory, "ray.log"),
      }),
    );
    const url = `http://127.0.0.1:${port}`;
    await until200(`${url}/small`, 120_000, driver.ended, site.signal);
    const owned = stack.move();
    return {
      url,
      pids: async () => markedPids(`${name}=${mark}`),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  };
}

// The controller's settings: flags first, then the environment, then defaults. Read once, at the start.

import { parseArgs } from "node:util";
import { resolve } from "node:path";
import { HeadgateError, LIMITS, fault } from "@headgate/core";
import { type Listeners, listenersProblem } from "./model/listeners.ts";

/** Settings of a controller. */
export interface Config {
  readonly listeners: Listeners;
  readonly controlPort: number;
  readonly adminPort: number;
  readonly stateDir: string;
  readonly root: string;
  readonly bridges: number;
  readonly spares: number;
  /** End when standard input does: the instance belongs to the program that started it. */
  readonly lifeline: boolean;
  readonly constructorTimeoutMs: number;
  readonly replicaMain: string;
  readonly bridgeMain: string;
}

const DEFAULTS = {
  "http-host": "127.0.0.1",
  "http-port": "8000",
  "h2c-port": "",
  "https-port": "",
  "tls-cert": "",
  "tls-key": "",
  "control-port": "8001",
  "admin-port": "8002",
  "state-dir": ".headgate",
  root: ".",
  bridges: "1",
  spares: "0",
  "constructor-timeout-ms": String(LIMITS.constructorTimeoutMs),
  "replica-main": "",
  "bridge-main": "",
} as const;

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

/** Reads the settings. Throws invalid_argument or bind_refused. */
export function readConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const options = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ args: [...argv], options: { ...options, lifeline: { type: "boolean" } }, strict: true });
  const text = (name: keyof typeof DEFAULTS): string => {
    const flag: unknown = Reflect.get(values, name);
    if (typeof flag === "string") return flag;
    return env[`HEADGATE_${name.toUpperCase().replaceAll("-", "_")}`] ?? DEFAULTS[name];
  };
  const number = (name: keyof typeof DEFAULTS, min: number, max: number): number => {
    const value = Number(text(name));
    if (Number.isInteger(value) && value >= min && value <= max && text(name) !== "") return value;
    throw new HeadgateError(
      fault("invalid_argument", `--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text(name))}`, {
        field: name,
      }),
    );
  };
  const httpHost = text("http-host");
  if (!LOOPBACK.test(httpHost)) {
    throw new HeadgateError(
      fault(
        "bind_refused",
        `HTTP on ${httpHost} would be open to the network without authentication; use 127.0.0.1 and put a proxy in front`,
        { host: httpHost },
      ),
    );
  }
  const optional = (name: "h2c-port" | "https-port"): number | null => (text(name) === "" ? null : number(name, 0, 65_535));
  const file = (name: "tls-cert" | "tls-key"): string => (text(name) === "" ? "" : resolve(text(name)));
  const listeners: Listeners = {
    httpHost,
    httpPort: number("http-port", 0, 65_535),
    h2cPort: optional("h2c-port"),
    httpsPort: optional("https-port"),
    tlsCert: file("tls-cert"),
    tlsKey: file("tls-key"),
  };
  const problem = listenersProblem(listeners);
  if (problem !== null) throw new HeadgateError(problem);
  return {
    listeners,
    controlPort: number("control-port", 0, 65_535),
    adminPort: number("admin-port", 0, 65_535),
    stateDir: resolve(text("state-dir")),
    root: resolve(text("root")),
    bridges: number("bridges", 1, 64),
    spares: number("spares", 0, 16),
    lifeline: values.lifeline === true,
    constructorTimeoutMs: number("constructor-timeout-ms", 1, 3_600_000),
    replicaMain: text("replica-main"),
    bridgeMain: text("bridge-main"),
  };
}

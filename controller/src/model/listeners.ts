// What an instance's bridges listen on: which settings go together, and whether a bridge that runs already fits them. Pure.

import { type Fault, fault } from "@headgate/core";

/** Ports; 0: any free one; null: not served. */
export interface Ports {
  readonly httpPort: number;
  /** HTTP/2 without TLS. */
  readonly h2cPort: number | null;
  /** HTTP/1.1 and HTTP/2 over TLS. */
  readonly httpsPort: number | null;
}

/** What is listened on. */
export interface Listeners extends Ports {
  readonly httpHost: string;
  /** PEM files; empty where HTTPS is not served. */
  readonly tlsCert: string;
  readonly tlsKey: string;
}

/** The listeners by the names of their flags. */
export const PORT_FLAGS = [
  ["http-port", "httpPort"],
  ["h2c-port", "h2cPort"],
  ["https-port", "httpsPort"],
] as const satisfies readonly (readonly [string, keyof Ports])[];

/** What is wrong with settings of listeners; null: nothing. */
export function listenersProblem(listeners: Listeners): Fault | null {
  const { httpsPort, tlsCert, tlsKey } = listeners;
  if (httpsPort !== null && (tlsCert === "" || tlsKey === "")) {
    const field = tlsCert === "" ? "tls-cert" : "tls-key";
    return fault("invalid_argument", `--https-port needs --tls-cert and --tls-key, the PEM files of a certificate and of its key`, {
      field,
    });
  }
  if (httpsPort === null && (tlsCert !== "" || tlsKey !== "")) {
    return fault("invalid_argument", "--tls-cert and --tls-key are for HTTPS alone: give its port with --https-port", {
      field: "https-port",
    });
  }
  const seen = new Map<number, string>();
  for (const [flag, name] of PORT_FLAGS) {
    const port = listeners[name];
    if (port === null || port === 0) continue;
    const other = seen.get(port);
    if (other !== undefined)
      return fault("invalid_argument", `--${other} and --${flag} are both ${port}: give two different ports`, { field: flag });
    seen.set(port, flag);
  }
  return null;
}

/** Whether a bridge that serves `running` is one that `wanted` asks for. */
export function listenersFit(wanted: Listeners, running: Listeners): boolean {
  const fits = (asked: number | null, served: number | null): boolean =>
    asked === null ? served === null : served !== null && served !== 0 && (asked === 0 || asked === served);
  return (
    wanted.httpHost === running.httpHost &&
    wanted.tlsCert === running.tlsCert &&
    wanted.tlsKey === running.tlsKey &&
    PORT_FLAGS.every(([, name]) => fits(wanted[name], running[name]))
  );
}

/** Whether a port is to be found yet. */
export function portsUnknown(ports: Ports): boolean {
  return PORT_FLAGS.some(([, name]) => ports[name] === 0);
}

/** Ports with those that a bridge has found in place of any free one. */
export function portsFound(asked: Ports, found: Ports): Ports {
  const one = (name: keyof Ports): number | null => (asked[name] === 0 ? found[name] : asked[name]);
  return { httpPort: one("httpPort") ?? 0, h2cPort: one("h2cPort"), httpsPort: one("httpsPort") };
}

/** Where what is served is reached; null: not served. */
export interface ServedUrls {
  readonly httpUrl: string;
  readonly h2cUrl: string | null;
  readonly httpsUrl: string | null;
}

/** The URLs of listeners. */
export function servedUrls({ httpHost, httpPort, h2cPort, httpsPort }: Listeners): ServedUrls {
  const host = httpHost.includes(":") ? `[${httpHost}]` : httpHost;
  return {
    httpUrl: `http://${host}:${httpPort}`,
    h2cUrl: h2cPort === null ? null : `http://${host}:${h2cPort}`,
    httpsUrl: httpsPort === null ? null : `https://${host}:${httpsPort}`,
  };
}

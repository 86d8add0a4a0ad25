// What a bridge listens on: HTTP/1.1, HTTP/2 by prior knowledge, and both over TLS. All of them share one intake and one
// limit of connections, and bridges share their ports.

import type { Server as HttpServer } from "node:http";
import { type AddressInfo, Server, createServer } from "node:net";
import { Connections } from "./connections.ts";
import { type Http2Front, createHttp2Front } from "./http2-server.ts";
import type { Surroundings } from "./serve.ts";
import { createBridgeServer } from "./server.ts";
import { type CertificateFiles, type TlsParts, createTlsServer } from "./tls.ts";

/** While it drains. */
const LOOK_FOR_IDLE_MS = 50;
/** How long idle connections stay when it begins to drain: a request may be on its way on any of them. */
const IDLE_GRACE_MS = 250;

/** What is asked for. A port of 0 is any free one; null: not served. */
export interface ListenerOptions {
  readonly host: string;
  readonly httpPort: number;
  readonly h2cPort: number | null;
  readonly httpsPort: number | null;
  readonly certificate: CertificateFiles;
}

/** Ends a listener and resolves when its connections have ended: net's own close(), as that of node:http ends idle ones at once. */
function closeListener(server: Server): Promise<void> {
  return new Promise((resolve) => void Server.prototype.close.call(server, () => resolve()));
}

interface Listener {
  readonly server: Server;
  readonly port: number;
}

/** The listeners of one bridge. */
export class Listeners {
  readonly #host: string;
  readonly #http: HttpServer;
  readonly #http2: Http2Front;
  readonly #all: readonly (Listener | null)[];
  readonly #log: TlsParts["log"];
  #listening: Promise<void> | null = null;

  private constructor(host: string, http: HttpServer, http2: Http2Front, all: readonly (Listener | null)[], log: TlsParts["log"]) {
    this.#host = host;
    this.#http = http;
    this.#http2 = http2;
    this.#all = all;
    this.#log = log;
  }

  /** Makes them, not listening yet. Rejects where the certificate cannot be used. */
  static async make(options: ListenerOptions, surroundings: Surroundings, log: TlsParts["log"]): Promise<Listeners> {
    const { host, httpPort, h2cPort, httpsPort, certificate } = options;
    const connections = new Connections(surroundings.limits.connections);
    const http = createBridgeServer(surroundings);
    const http2 = createHttp2Front(surroundings);
    const all: (Listener | null)[] = [{ server: http, port: httpPort }];
    all.push(h2cPort === null ? null : { server: createServer(http2.connection), port: h2cPort });
    if (httpsPort === null) all.push(null);
    else {
      const server = await createTlsServer({
        files: certificate,
        handshakeTimeoutMs: surroundings.limits.headerTimeoutMs,
        http1: (socket) => http.emit("connection", socket),
        http2: http2.connection,
        log,
      });
      all.push({ server, port: httpsPort });
    }
    for (const listener of all) {
      // Connections that TLS hands on were counted when they came.
      listener?.server.on("connection", (socket) => {
        if (!("encrypted" in socket)) connections.take(socket);
      });
    }
    return new Listeners(host, http, http2, all, log);
  }

  /** The ports of HTTP, h2c and HTTPS: those that are listened on, or asked for; 0: not served. */
  get ports(): { readonly httpPort: number; readonly h2cPort: number; readonly httpsPort: number } {
    const [httpPort = 0, h2cPort = 0, httpsPort = 0] = this.#all.map((listener) => {
      if (listener === null) return 0;
      // An AddressInfo, as it listens on a port and not on a path.
      const address = listener.server.address() as AddressInfo | null;
      return address?.port ?? listener.port;
    });
    return { httpPort, h2cPort, httpsPort };
  }

  /** Listens where the port is any free one, so that it is known. */
  async listenOnFree(): Promise<void> {
    for (const listener of this.#all) if (listener?.port === 0) await this.#listen(listener);
  }

  /** Listens wherever it does not yet. */
  listen(): Promise<void> {
    this.#listening ??= this.#listenOnRest();
    return this.#listening;
  }

  async #listenOnRest(): Promise<void> {
    for (const listener of this.#all) if (listener !== null && !listener.server.listening) await this.#listen(listener);
  }

  /** Takes no new connections; resolves when those there are have finished. */
  async drain(): Promise<void> {
    const closed = this.#all.filter((listener) => listener !== null).map(({ server }) => closeListener(server));
    this.#http2.drain();
    // Callers that ask again meanwhile are told that their connection ends, and lose nothing when it does.
    await new Promise((resolve) => setTimeout(resolve, IDLE_GRACE_MS));
    this.#http.closeIdleConnections();
    setInterval(() => this.#http.closeIdleConnections(), LOOK_FOR_IDLE_MS).unref();
    await Promise.all(closed);
  }

  /** Ends every connection at once. */
  close(): void {
    this.#http.closeAllConnections();
    this.#http2.close();
  }

  #listen({ server, port }: Listener): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: this.#host, port, reusePort: true, backlog: 1024 }, () => {
        server.off("error", reject);
        server.on("error", (error) => this.#log("error", "a listener failed", { error: error.message }));
        resolve();
      });
    });
  }
}

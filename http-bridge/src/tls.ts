// The TLS listener: agrees with each caller on HTTP/2 or HTTP/1.1 (ALPN) and hands the connection to that server.
// Its certificate is read again when its files change; files that cannot be used leave the one in force.

import { readFile, stat } from "node:fs/promises";
import { type SecureContextOptions, type Server, type TLSSocket, createSecureContext, createServer } from "node:tls";

/** How often the files are looked at. */
const LOOK_MS = 1_000;

/** Where a certificate lies, as PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** What the listener needs. */
export interface TlsParts {
  readonly files: CertificateFiles;
  readonly handshakeTimeoutMs: number;
  /** Takes a connection that speaks HTTP/1.1. */
  readonly http1: (socket: TLSSocket) => void;
  /** Takes a connection that speaks HTTP/2. */
  readonly http2: (socket: TLSSocket) => void;
  readonly log: (level: "info" | "error", msg: string, facts?: Readonly<Record<string, unknown>>) => void;
}

/** Makes the listener, not listening yet. Rejects where the files cannot be used. */
export async function createTlsServer({ files, handshakeTimeoutMs, http1, http2, log }: TlsParts): Promise<Server> {
  let version = await versionOf(files);
  const server = createServer(
    {
      ...(await contextOf(files)),
      ALPNProtocols: ["h2", "http/1.1"],
      minVersion: "TLSv1.2",
      noDelay: true,
      handshakeTimeout: handshakeTimeoutMs,
    },
    (socket) => {
      if (socket.alpnProtocol === "h2") http2(socket);
      else http1(socket);
    },
  );
  // A handshake that fails, or takes too long.
  server.on("tlsClientError", (_error, socket) => socket.destroy());

  async function look(): Promise<void> {
    const seen = await versionOf(files);
    if (seen === version) return;
    version = seen;
    try {
      server.setSecureContext(await contextOf(files));
      log("info", "the certificate was read again");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log("error", "the changed certificate cannot be used; the one before stays in force", { reason });
    }
  }

  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => {
      looking = false;
    });
  }, LOOK_MS).unref();
  server.once("close", () => clearInterval(timer));
  return server;
}

/** What is in the files, checked. */
async function contextOf({ cert, key }: CertificateFiles): Promise<SecureContextOptions> {
  const options = { cert: await readFile(cert), key: await readFile(key) };
  createSecureContext(options);
  return options;
}

/** Changes when one of the files does, or the link that leads to it. */
async function versionOf({ cert, key }: CertificateFiles): Promise<string> {
  const parts = await Promise.all(
    [cert, key].map(async (path) => {
      const found = await stat(path).catch(() => null);
      return found === null ? "none" : `${found.ino} ${found.size} ${found.mtimeMs}`;
    }),
  );
  return parts.join(" ");
}

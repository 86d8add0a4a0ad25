// The files of a certificate, looked at before anything is started: what a bridge could not use is refused here, by name.
// Bridges read them themselves, and again when they change.

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { HeadgateError, fault } from "@headgate/core";
import type { Listeners } from "./model/listeners.ts";

/** Throws invalid_argument where HTTPS is asked for with files that cannot be used. */
export function checkTlsFiles({ httpsPort, tlsCert, tlsKey }: Listeners): void {
  if (httpsPort === null) return;
  const cert = read("tls-cert", tlsCert);
  const key = read("tls-key", tlsKey);
  try {
    createSecureContext({ cert });
  } catch (error) {
    throw unusable("tls-cert", `--tls-cert ${tlsCert} is no certificate in PEM form`, error);
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw unusable(
      "tls-key",
      `--tls-key ${tlsKey} is not the private key, in PEM form and without a passphrase, of the certificate in --tls-cert`,
      error,
    );
  }
}

function read(flag: "tls-cert" | "tls-key", path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw unusable(flag, `--${flag} ${path} cannot be read (${code}): give the path of a PEM file`, error);
  }
}

function unusable(field: string, message: string, cause: unknown): HeadgateError {
  return new HeadgateError(fault("invalid_argument", message, { field }), { cause });
}

// Options of `start` and `dev` as numbers: what a command line says in text. Pure.

import { type Refusal, type Result, err, fault, ok } from "@headgate/core";

/** What the command line says. */
export interface LaunchWords {
  readonly httpHost?: string;
  readonly httpPort?: string;
  readonly h2cPort?: string;
  readonly httpsPort?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly controlPort?: string;
  readonly adminPort?: string;
  readonly bridges?: string;
  readonly spares?: string;
}

/** The same as the controller takes it. */
export interface LaunchNumbers {
  readonly httpHost?: string;
  readonly httpPort?: number;
  readonly h2cPort?: number;
  readonly httpsPort?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly controlPort?: number;
  readonly adminPort?: number;
  readonly bridges?: number;
  readonly spares?: number;
}

const BOUNDS = {
  httpPort: ["--http-port", 0, 65_535],
  h2cPort: ["--h2c-port", 0, 65_535],
  httpsPort: ["--https-port", 0, 65_535],
  controlPort: ["--control-port", 0, 65_535],
  adminPort: ["--admin-port", 0, 65_535],
  bridges: ["--bridges", 1, 64],
  spares: ["--spares", 0, 64],
} as const;

/** Numbers of the words; a word that is none is refused by its flag. */
export function parseLaunchWords(words: LaunchWords): Result<LaunchNumbers, Refusal> {
  const numbers: { -readonly [K in keyof LaunchNumbers]: LaunchNumbers[K] } = {};
  if (words.httpHost !== undefined) numbers.httpHost = words.httpHost;
  if (words.tlsCert !== undefined) numbers.tlsCert = words.tlsCert;
  if (words.tlsKey !== undefined) numbers.tlsKey = words.tlsKey;
  for (const field of ["httpPort", "h2cPort", "httpsPort", "controlPort", "adminPort", "bridges", "spares"] as const) {
    const word = words[field];
    if (word === undefined) continue;
    const [flag, min, max] = BOUNDS[field];
    const value = Number(word);
    if (!/^\d+$/.test(word) || value < min || value > max) {
      return err(fault("invalid_argument", `${flag} must be a whole number from ${min} to ${max}, not "${word}"`, { field }));
    }
    numbers[field] = value;
  }
  return ok(numbers);
}

// Names of backends and endpoints. A name exists only through its parser, so a value of these types is a checked one.
// `__proto__` and `constructor` are refused or plain names like any other: tables of names are Maps, never objects.

import { type Refusal, fault } from "./faults.ts";
import { type Result, err, ok } from "./result.ts";

declare const brand: unique symbol;

/** The name of a backend. */
export type BackendName = string & { readonly [brand]: "backend" };
/** The name of an endpoint. */
export type EndpointName = string & { readonly [brand]: "endpoint" };
/** The id of a replica process. */
export type ReplicaId = string & { readonly [brand]: "replica" };

/** What a name looks like: 1 to 63 characters. */
export const NAME_PATTERN = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;

const NAME_RULE = "a name is 1 to 63 letters, digits, '_', '.' or '-', and begins and ends with a letter or digit";

function parseName(kind: string, value: unknown): Result<string, Refusal> {
  if (typeof value === "string" && NAME_PATTERN.test(value)) return ok(value);
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : typeof value;
  return err(fault("invalid_argument", `${shown} is not a valid ${kind} name: ${NAME_RULE}`, { field: "name" }));
}

/** Checks the name of a backend. */
export function parseBackendName(value: unknown): Result<BackendName, Refusal> {
  // The one place where a string becomes a BackendName.
  return parseName("backend", value) as Result<BackendName, Refusal>;
}

/** Checks the name of an endpoint. */
export function parseEndpointName(value: unknown): Result<EndpointName, Refusal> {
  // The one place where a string becomes an EndpointName.
  return parseName("endpoint", value) as Result<EndpointName, Refusal>;
}

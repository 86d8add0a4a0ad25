// What the checks of specs have in common: refusals that name their field, values as messages show them, objects whose
// every key is known. What a spec means stands beside its type.

import { type Refusal, fault } from "./faults.ts";
import { type Result, err, ok } from "./result.ts";

/** The refusal of a value, by the field that it stands in. */
export const invalid = (field: string, message: string): { readonly ok: false; readonly error: Refusal } =>
  err(fault("invalid_argument", message, { field }));

/** A value as an error message shows it. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean") return String(value);
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Whether a value is an object with keys. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A whole number within bounds, or the refusal that names the field. */
export function checkInteger(field: string, value: unknown, min: number, max: number): Result<number, Refusal> {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return ok(value);
  return invalid(field, `${field} must be a whole number from ${min} to ${max}, not ${shown(value)}`);
}

/** An object that has no key but the known ones; a key that is undefined counts as absent. */
export function checkRecord(field: string, value: unknown, known: readonly string[]): Result<Readonly<Record<string, unknown>>, Refusal> {
  if (!isRecord(value)) return invalid(field, `${field} must be an object with ${known.join(", ")}, not ${shown(value)}`);
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    return err(
      fault("unknown_field", `${field} has no field ${shown(key)}; its fields are ${known.join(", ")}`, { field: `${field}.${key}` }),
    );
  }
  return ok(value);
}

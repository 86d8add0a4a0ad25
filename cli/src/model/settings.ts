// Words of a command line as settings: `--set key=value`, weights, constructor arguments. Pure.

import { DEFAULT_BACKEND_CONFIG, type BackendConfig, type Refusal, type Result, err, fault, ok, parseBackendConfig } from "@headgate/core";
import type { Json } from "@headgate/core";

const refused = (message: string): { readonly ok: false; readonly error: Refusal } => err(fault("invalid_argument", message));

/** "key=value" taken apart at its first "="; the key is not empty. */
export function parsePair(text: string): Result<readonly [string, string], Refusal> {
  const at = text.indexOf("=");
  return at > 0 ? ok([text.slice(0, at), text.slice(at + 1)]) : refused(`"${text}" is not of the form key=value`);
}

/** JSON where it is that, else the text itself: 3, true, null, [1], hello. */
export function jsonOrText(text: string): Json {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return text;
  }
}

/** Constructor arguments, each one JSON or, where it is none, a string. */
export function parseArgs(texts: readonly string[]): readonly Json[] {
  return texts.map(jsonOrText);
}

/** Settings of a backend out of `--set` words; `env.NAME=value` sets one variable, `methods=a,b` a list. */
export function parseSettings(texts: readonly string[]): Result<Partial<BackendConfig>, Refusal> {
  const settings: Record<string, Json> = Object.create(null);
  const env: Record<string, string> = {};
  for (const text of texts) {
    const pair = parsePair(text);
    if (!pair.ok) return pair;
    const [key, value] = pair.value;
    if (key.startsWith("env.")) {
      env[key.slice(4)] = value;
      settings.env = env;
    } else if (!Object.hasOwn(DEFAULT_BACKEND_CONFIG, key)) {
      const known = Object.keys(DEFAULT_BACKEND_CONFIG).join(", ");
      return err(fault("unknown_field", `there is no setting "${key}"; the settings are ${known} and env.NAME`, { field: key }));
    } else if (key === "methods" && !value.startsWith("[")) settings[key] = value.split(",");
    else settings[key] = jsonOrText(value);
  }
  const parsed = parseBackendConfig({ ...settings });
  // Checked just above, and a Partial because only what was named is in it.
  return parsed.ok ? ok(settings as Partial<BackendConfig>) : parsed;
}

/** "b1=0.9 b2=0.1" as weights. */
export function parseWeights(texts: readonly string[]): Result<Readonly<Record<string, number>>, Refusal> {
  const weights = new Map<string, number>();
  for (const text of texts) {
    const pair = parsePair(text);
    if (!pair.ok) return pair;
    const [backend, value] = pair.value;
    const weight = parseNumber(value);
    if (weight === null) return refused(`the weight of "${backend}" must be a number from 0 to 1, not "${value}"`);
    if (weights.has(backend)) return refused(`backend "${backend}" stands twice`);
    weights.set(backend, weight);
  }
  return ok(Object.fromEntries(weights));
}

/** A number as people write it; null: none. */
export function parseNumber(text: string): number | null {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

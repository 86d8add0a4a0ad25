// X-Request-Timeout: how long a caller waits at most, such as "250ms", "1.5s" or "2m"; without a unit, seconds. Pure.

const TIMEOUT = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds, at least 1; null: it is no such time, or none at all. */
export function parseTimeout(text: string): number | null {
  const match = TIMEOUT.exec(text);
  if (match === null) return null;
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? "s"] ?? Number.NaN);
  return ms > 0 ? Math.max(1, Math.round(ms)) : null;
}

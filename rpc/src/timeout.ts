// The header grpc-timeout: at most eight digits and a unit (gRPC over HTTP/2, "Requests").

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
  ["m", 1],
  ["u", 1e-3],
  ["n", 1e-6],
]);
const MOST_DIGITS = 99_999_999;

/** Milliseconds, at least 1; 0: there is no such header. Null: it is not what gRPC writes. */
export function parseTimeout(text: string | undefined): number | null {
  if (text === undefined) return 0;
  const unitMs = UNIT_MS.get(text.slice(-1));
  if (unitMs === undefined || !/^\d{1,8}.$/.test(text)) return null;
  return Math.max(1, Math.round(Number(text.slice(0, -1)) * unitMs));
}

/** The header for that many milliseconds. */
export function formatTimeout(timeoutMs: number): string {
  const wholeMs = Math.max(1, Math.ceil(timeoutMs));
  return wholeMs <= MOST_DIGITS ? `${wholeMs}m` : `${Math.min(MOST_DIGITS, Math.ceil(wholeMs / 1000))}S`;
}

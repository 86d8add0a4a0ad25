// Rows as aligned text. Pure; no colours, so that what is piped reads as what is seen.

/** Lines of a table: a head in capitals, columns as wide as their widest cell, two spaces between. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head.map((title) => title.toUpperCase()), ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      widths
        .map((width, column) => (row[column] ?? "").padEnd(width))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Bytes as people read them. */
export function showBytes(bytes: number | null): string {
  return bytes === null ? "-" : `${Math.round(bytes / 1_048_576)} MiB`;
}

/** A share as people read it: 0.1 is "10%". */
export function showShare(share: number): string {
  return `${Number((share * 100).toFixed(6))}%`;
}

/** Backends with their shares, such as "a 90%, b 10%". */
export function showShares(shares: Readonly<Record<string, number>>): string {
  const entries = Object.entries(shares);
  return entries.length === 0 ? "-" : entries.map(([backend, share]) => `${backend} ${showShare(share)}`).join(", ");
}

/** How long something has been, such as "3m". */
export function showAge(sinceMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

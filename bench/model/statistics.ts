// Medians and paired ratios: a machine's speed drifts, so a chain is compared with its neighbour of the same round.

/** The median; undefined for no values. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/** The value that a share of all values, from 0 to 1, does not exceed; undefined for no values. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** The median of `values[i] / base[i]` over the rounds that both have; undefined where there is none. */
export function pairedRatio(values: ReadonlyMap<number, number>, base: ReadonlyMap<number, number>): number | undefined {
  const ratios: number[] = [];
  for (const [round, value] of values) {
    const other = base.get(round);
    if (other !== undefined && other > 0) ratios.push(value / other);
  }
  return median(ratios);
}

/** Megabytes (10^6 bytes) of so many KiB, the unit of /proc. */
export const megabytesOf = (kib: number): number => (kib * 1024) / 1e6;

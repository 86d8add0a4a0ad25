// Which backend of an endpoint's traffic a request goes to. Pure: the point in [0, 1) comes in as an argument.
// Without a key the points are a golden-ratio sequence, which spreads far more evenly than random draws (the low-discrepancy
// sequence of van der Corput's kind, Kuipers and Niederreiter 1974): of n requests a share w gets w*n give or take a few.
// With a key the choice is weighted rendezvous hashing, so that a change of weights moves only the difference.

/** One share: the backend's place in the caller's list, and its weight. */
export interface Share {
  readonly weight: number;
}

const GOLDEN = 0.6180339887498949;
/** The square root of 2, less 1: as even a sequence, and in no fixed relation to the golden one. */
const SILVER = 0.4142135623730951;

/** The next point after `point`. */
export function nextPoint(point: number): number {
  const next = point + GOLDEN;
  return next >= 1 ? next - 1 : next;
}

/**
 * The next point of a shadow's sequence after `point`. A step of its own: with the split's, each point would be that of the
 * split plus a constant, and a shadow of one half could get requests of one backend alone.
 */
export function nextShadowPoint(point: number): number {
  const next = point + SILVER;
  return next >= 1 ? next - 1 : next;
}

/** Index of the share in which a point of [0, 1) lies; -1 where there are none. Shares of weight 0 are never chosen. */
export function shareAt(shares: readonly Share[], point: number): number {
  let rest = point;
  let last = -1;
  for (let index = 0; index < shares.length; index++) {
    const weight = shares[index]?.weight ?? 0;
    if (weight <= 0) continue;
    last = index;
    rest -= weight;
    if (rest < 0) return index;
  }
  return last;
}

/** A number in [0, 1) from a string: 32-bit FNV-1a with a final mix (murmur3's). */
export function hashToUnit(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) / 0x1_0000_0000;
}

/**
 * Index of the share that a key sticks to: the highest of -weight / ln(hash(key, name)), after Schindelhauer and
 * Schomaker's weighted distributed hash tables (2005). -1 where every weight is 0.
 */
export function shareOfKey(shares: readonly (Share & { readonly name: string })[], key: string): number {
  let best = -1;
  let bestScore = 0;
  for (let index = 0; index < shares.length; index++) {
    const share = shares[index];
    if (share === undefined || share.weight <= 0) continue;
    const unit = hashToUnit(`${share.name}\0${key}`);
    const score = share.weight / -Math.log(unit === 0 ? Number.MIN_VALUE : unit);
    if (score > bestScore) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}

/** Name of the backend that a key sticks to by a split; some share of it has weight. */
export function backendOfKey(traffic: readonly { readonly backend: string; readonly weight: number }[], key: string): string {
  const shares = traffic.map(({ backend, weight }) => ({ name: backend, weight }));
  return shares[shareOfKey(shares, key)]?.name ?? "";
}

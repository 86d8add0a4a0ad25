// Which replica of a backend a request goes to: the least busy of two drawn at random ("the power of two choices",
// Mitzenmacher 2001), by the true counts of this process. Pure: chance comes in as an argument.

/** What the picker sees of a replica. */
export interface Candidate {
  /** Requests of this process that it runs now. */
  readonly inFlight: number;
  /** How many it may run. */
  readonly most: number;
  /** Whether a request can be sent to it now. */
  readonly open: boolean;
}

/**
 * Index of the chosen replica; -1 where none is open with room for one more. `random` is in [0, 1).
 * `avoid` is passed over where there is another: the replica that has just failed the request.
 */
export function pickReplica<C extends Candidate>(candidates: readonly C[], random: number, avoid: C | null = null): number {
  const count = candidates.length;
  if (count === 0) return -1;
  const first = Math.min(Math.floor(random * count), count - 1);
  if (count === 1) return usable(candidates[0]) ? 0 : -1;
  // The second draw is any other one, from the same random number's lower digits.
  const fraction = random * count - first;
  const second = (first + 1 + Math.min(Math.floor(fraction * (count - 1)), count - 2)) % count;
  const a = candidates[first];
  const b = candidates[second];
  const aUsable = usable(a) && a !== avoid;
  const bUsable = usable(b) && b !== avoid;
  if (aUsable && bUsable) return (a?.inFlight ?? 0) <= (b?.inFlight ?? 0) ? first : second;
  if (aUsable) return first;
  if (bUsable) return second;
  return leastBusy(candidates, avoid);
}

/** The least busy of all, for when neither draw can be used. */
function leastBusy<C extends Candidate>(candidates: readonly C[], avoid: C | null): number {
  let best = -1;
  let bestInFlight = Number.POSITIVE_INFINITY;
  let avoided = -1;
  for (const [index, candidate] of candidates.entries()) {
    if (!usable(candidate)) continue;
    if (candidate === avoid) avoided = index;
    else if (candidate.inFlight < bestInFlight) {
      best = index;
      bestInFlight = candidate.inFlight;
    }
  }
  return best >= 0 ? best : avoided;
}

/**
 * Whether a replica for which requests of this turn of the event loop are being gathered may get one more, rather than the
 * replica that the two draws chose: requests that leave together cost a fraction of what they cost apart. `slack` is how many
 * answers come from it at once, lately: one that answers ten in one message is hardly made to wait by twice ten, and one
 * whose handler takes long answers singly, so that its requests are spread.
 */
export function keepsGathering(gathering: Candidate, chosen: Candidate, slack: number): boolean {
  return usable(gathering) && gathering.inFlight < chosen.inFlight + 2 * slack;
}

function usable(candidate: Candidate | undefined): boolean {
  return candidate !== undefined && candidate.open && candidate.inFlight < candidate.most;
}

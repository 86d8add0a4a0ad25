// What a bridge's server is told from outside.

/** Changed by main.ts, read at each request. */
export interface BridgeState {
  /** It takes no new work. */
  draining: boolean;
}

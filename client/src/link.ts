// What a replica is reached by: a Session, or unary Handle calls. The same to all above.

import type { Fault } from "@headgate/core";
import type { Call } from "./call.ts";

/** A way to one replica. */
export interface Link {
  /** Whether requests of this turn of the event loop wait to leave together. */
  readonly gathering: boolean;
  /** Sends a call. */
  start(call: Call): void;
  /** More pieces of the call's body are there. */
  pump(call: Call): void;
  /** The call's body has ended and its last piece was sent before. */
  endBody(call: Call): void;
  /**
   * Sends a WebSocket's message, or the caller's close, as far as the credit goes; the rest follows by itself. Returns whether all that
   * was given is sent: the sink's writable() tells when it is later.
   */
  message(call: Call, part: number, body: Buffer): boolean;
  /** The caller is gone or the deadline has passed: nothing more comes of the call. */
  cancel(call: Call): void;
  /** The caller has taken that many bytes of the answer. */
  consumed(call: Call, bytes: number): void;
  /** Whether the replica is known to answer pings. */
  readonly answersPings: boolean;
  /** Asks the replica for a sign that it hears; it comes as heard(). */
  ping(): void;
  /** After room(): whether more calls wait for the replica. */
  answerRoom(more: boolean): void;
  /** Ends the link; its calls are told as ended(). */
  close(): void;
}

/** What a link tells its replica. */
export interface LinkEvents {
  /** Calls can be sent. */
  opened(): void;
  /** A call has its whole answer, or the last piece of it comes right after this. */
  finished(call: Call): void;
  /** The replica gave a fault instead of an answer, or in the middle of one. */
  failed(call: Call, fault: Fault): void;
  /** The replica said something, whatever it was. */
  heard(): void;
  /** The replica keeps places for so many calls; answerRoom() says what becomes of them. */
  room(places: number): void;
  /** So much of what was sent is unread that nothing new should be sent before writable(). */
  full(): void;
  /** All that was sent is on its way. */
  writable(): void;
  /** That many calls ended with one message of the replica. */
  answered(calls: number): void;
  /** The replica takes no new calls. */
  draining(): void;
  /** The connection was lost with the call on it; others go on. */
  lost(call: Call): void;
  /** The connection is gone, with the calls that were on it. Once. `broken`: because the replica broke the contract. */
  ended(lost: readonly Call[], broken: boolean): void;
}

// The replica's door with its clock: who is let in, and who is told of a place and when. The rules stand in model/admission.ts.

import { Admission, GRACE_MS, KEEP_MS, type NotAdmitted } from "./model/admission.ts";

/** Who sends requests and can be told that there is room for them: a bridge's session. */
export interface Sender {
  /** For so many requests places are kept, for a while. */
  invite(places: number): void;
}

/** A door. */
export class Door {
  readonly #admission: Admission<Sender>;
  #graceTimer = false;
  #keepTimer = false;

  constructor(limit: number) {
    this.#admission = new Admission(limit);
  }

  get inFlight(): number {
    return this.#admission.inFlight;
  }

  /** Requests that could be let in now. */
  get room(): number {
    return this.#admission.draining ? 0 : this.free;
  }

  /** Places that nobody has; below 0 where some were let in for others that make way, or the limit is lower by now. */
  get free(): number {
    return this.#admission.limit - this.#admission.inFlight;
  }

  /** Lets a request in (null), or says why not. `makeWay`: null, or for a call in a circle how many of those inside do not run. */
  enter(sender: Sender | null, makeWay: number | null): NotAdmitted | null {
    const no = this.#admission.enter(sender, makeWay);
    if (no === "replica_busy" && sender !== null) this.#admission.standInLine(sender, performance.now());
    return no;
  }

  /** A request that was let in has ended. */
  leave(): void {
    this.#admission.leave();
    if (this.#admission.contended) this.#invite(false);
  }

  limitTo(limit: number): void {
    this.#admission.limit = limit;
    this.#invite(true);
  }

  /** Nobody is let in any more. */
  close(): void {
    this.#admission.draining = true;
  }

  /** A sender has used its places and has more to send; or it needs none. */
  answered(sender: Sender, more: boolean): void {
    if (more) this.#admission.standInLine(sender, performance.now());
    else this.#admission.forget(sender);
    this.#invite(true);
  }

  /** A sender is gone. */
  forget(sender: Sender): void {
    this.#admission.forget(sender);
    this.#invite(true);
  }

  /** Tells those whose turn it is. `idle`: also of places that are there for whose request comes first. */
  #invite(idle: boolean): void {
    while (this.#admission.contended) {
      const next = this.#admission.next(performance.now(), idle);
      if (next === null) break;
      next.caller.invite(next.places);
    }
    if (this.#admission.keeping && !this.#keepTimer) {
      this.#keepTimer = true;
      setTimeout(() => {
        this.#keepTimer = false;
        this.#admission.expire(performance.now());
        this.#invite(true);
      }, KEEP_MS);
    }
    if (this.#admission.contended && this.#admission.hasRoom && !this.#graceTimer) {
      this.#graceTimer = true;
      setTimeout(() => {
        this.#graceTimer = false;
        this.#invite(true);
      }, GRACE_MS);
    }
  }
}

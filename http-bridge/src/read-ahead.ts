// Uploads that nobody reads. Their connections are not read either, and as TCP tells what a caller does in the order in which it did it, that
// it has left would be heard when the handler reads, or never. So a bounded part of them is read ahead into memory.
// HTTP/2 needs none of this: there a stream waits for itself alone, and its connection is read on.

import { LIMITS } from "@headgate/core";

/** How often they are looked at: one of which nothing was taken from one look to the next is read ahead. */
const LOOK_MS = 30;

/** An upload that waits. */
export interface WaitingUpload {
  /** Whether nothing more comes of it. */
  readonly over: boolean;
  /** How many bytes of it were taken so far. */
  readonly taken: number;
  /** Goes on reading it. */
  readOn(): void;
}

/** How far one has come. */
interface Progress {
  /** Bytes of it that lie here. */
  bytes: number;
  /** How many had been taken at the last look; -1: there was none. */
  taken: number;
  state: "waiting" | "reading" | "full";
}

/** What lies here of all uploads of a bridge. */
export class ReadAhead {
  readonly #perRequest: number;
  #left: number;
  readonly #uploads = new Map<WaitingUpload, Progress>();
  #timer: NodeJS.Timeout | null = null;

  /** `perRequest` and `inAll`: bytes of one upload, and of all together; a little more lies here where the last piece is large. */
  constructor(perRequest: number = LIMITS.readAheadBytes, inAll: number = LIMITS.readAheadTotalBytes) {
    this.#perRequest = perRequest;
    this.#left = inAll;
  }

  /** So much of an upload has to wait. Returns whether to read on all the same; else readOn() tells when. */
  waits(upload: WaitingUpload, bytes: number): boolean {
    const progress = this.#uploads.get(upload);
    if (progress === undefined) {
      this.#uploads.set(upload, { bytes: 0, taken: -1, state: "waiting" });
      this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
      return false;
    }
    if (progress.state !== "reading") return false;
    progress.bytes += bytes;
    this.#left -= bytes;
    if (this.#mayRead(progress)) return true;
    progress.state = "full";
    return false;
  }

  /** Nothing of an upload waits any more. */
  goesOn(upload: WaitingUpload): void {
    const progress = this.#uploads.get(upload);
    if (progress === undefined) return;
    this.#left += progress.bytes;
    this.#uploads.delete(upload);
  }

  /** Looks at all that wait. Happens by itself. */
  look(): void {
    for (const [upload, progress] of this.#uploads) {
      if (upload.over) this.goesOn(upload);
      else if (progress.state !== "reading") this.#lookAt(upload, progress);
    }
    if (this.#uploads.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #lookAt(upload: WaitingUpload, progress: Progress): void {
    const { taken } = upload;
    const idle = taken === progress.taken;
    progress.taken = taken;
    // Where some of it is taken, what its caller did is heard soon enough.
    if (!idle || !this.#mayRead(progress)) return;
    progress.state = "reading";
    upload.readOn();
  }

  /** None holds more than what is left, so that there is something left for one more. */
  #mayRead({ bytes }: Progress): boolean {
    return bytes < Math.min(this.#perRequest, this.#left);
  }
}

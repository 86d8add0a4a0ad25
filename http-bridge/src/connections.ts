// The connections of all listeners together, which one limit holds for.

import type { Socket } from "node:net";

/** Counts connections. */
export class Connections {
  readonly #most: number;
  #open = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get open(): number {
    return this.#open;
  }

  /** Counts a connection until it closes; one beyond the limit is closed at once. */
  readonly take = (socket: Socket): void => {
    // Whatever goes wrong with a connection is told by its end.
    socket.on("error", () => undefined);
    if (this.#open >= this.#most) {
      socket.destroy();
      return;
    }
    this.#open++;
    socket.once("close", () => this.#open--);
  };
}

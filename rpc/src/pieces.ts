// Bodies as lists of pieces: what was cut small on its way is laid together again, so that a body takes about as much memory as it has
// bytes. A piece of its own costs a few hundred bytes for the object and the memory behind it, however short it is.

/** Up to so many bytes a piece is laid behind the one before it. */
const JOINED_BYTES = 16 * 1024;
/** The least memory that is taken for pieces to come. */
const FIRST_BYTES = 256;

/** Adds pieces to a list. One joiner serves one list at a time; what stands in a list is never changed. */
export class PieceJoiner {
  /** Where the last piece lies, with room behind it. */
  #room: Buffer | null = null;
  #last: Buffer | null = null;

  /** Adds a piece at the end of the list: as it is, or as a copy together with the last one. */
  add(list: Buffer[], piece: Buffer): void {
    const last = list.at(-1);
    const bytes = (last?.length ?? 0) + piece.length;
    if (last === undefined || bytes > JOINED_BYTES) {
      list.push(piece);
      return;
    }
    let room = this.#room;
    if (room === null || last !== this.#last || bytes > room.length) {
      room = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, Math.min(JOINED_BYTES, bytes * 2)));
      last.copy(room);
    }
    piece.copy(room, last.length);
    const joined = room.subarray(0, bytes);
    list[list.length - 1] = joined;
    this.#room = room;
    this.#last = joined;
  }
}

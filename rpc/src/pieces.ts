// Bodies as lists of pieces, and whose memory those lie in. What was cut small on its way is laid together again, so that a body takes about
// as much memory as it has bytes: a piece of its own costs a few hundred for the object and the memory behind it, however short it is.

/** Up to so many bytes a piece is laid behind the one before it. */
const JOINED_BYTES = 16 * 1024;
/** The least memory that is taken for pieces to come. */
const FIRST_BYTES = 256;

/** Bytes of all pieces together. */
export function lengthOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}

/** All pieces one behind the other, in memory that nothing else lies in. */
export function copyOf(pieces: readonly Buffer[]): Buffer<ArrayBuffer> {
  // Not filled with zeros first, as a new Uint8Array would be, and not out of Node's pool.
  const copy = Buffer.allocUnsafeSlow(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    copy.set(piece, at);
    at += piece.length;
  }
  return copy;
}

/** The piece in memory that nothing else lies in: its own, where at most `besideBytes` more are there, else a copy. */
export function ownOf(piece: Buffer, besideBytes = 0): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = piece;
  const alone = buffer instanceof ArrayBuffer && buffer.byteLength - length <= besideBytes;
  return alone ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(copyOf([piece]).buffer);
}

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

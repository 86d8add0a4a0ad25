// Writes protobuf into slabs of memory that are handed to the socket without another copy.
// Only what the Session codec needs. Lengths that are not known beforehand are written as padded varints (more bytes than
// needed, which every protobuf decoder accepts), so that one pass suffices.

/** Size of a slab. A message larger than the rest of a slab gets a new one. */
const SLAB_BYTES = 128 * 1024;

/** Strings up to this many characters are written by a loop; beyond, the call into the runtime pays off. */
const LOOP_CHARS = 24;

/** A message that has grown to this is sent before the turn of the event loop is over. */
export const FLUSH_BYTES = 64 * 1024;
/** Bodies from this size on go out as they are, without being copied into the message. */
export const APART_BYTES = 16 * 1024;

/** Bytes before each message: gRPC's flag byte and length. */
export const GRPC_PREFIX_BYTES = 5;

/** An append-only protobuf writer. Not for concurrent use. */
export class WireWriter {
  buf: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  pos = 0;
  #start = 0;

  /** Whether nothing was written since the last take(). */
  get empty(): boolean {
    return this.pos === this.#start;
  }

  /** Bytes written since the last take(). */
  get length(): number {
    return this.pos - this.#start;
  }

  /** The bytes written since the last take(); the writer never touches them again. */
  take(): Buffer {
    const taken = this.buf.subarray(this.#start, this.pos);
    this.#start = this.pos;
    return taken;
  }

  /** Makes room for `bytes` more. Called before any group of raw writes. */
  ensure(bytes: number): void {
    if (this.pos + bytes <= this.buf.length) return;
    const written = this.pos - this.#start;
    const next = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, (written + bytes) * 2));
    this.buf.copy(next, 0, this.#start, this.pos);
    this.buf = next;
    this.#start = 0;
    this.pos = written;
  }

  /** Writes an unsigned varint of at most 32 bits. The caller has made room for 5 bytes. */
  varint(value: number): void {
    const buf = this.buf;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      buf[this.pos++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buf[this.pos++] = rest;
  }

  /** Leaves four bytes for a length and returns where; see close(). The caller has made room. */
  open(): number {
    const at = this.pos;
    this.pos += 4;
    return at - this.#start;
  }

  /** Writes the length of all that came since open(), and of `apart` bytes that follow without being written here. */
  close(mark: number, apart = 0): void {
    const at = mark + this.#start;
    const length = this.pos - at - 4 + apart;
    const buf = this.buf;
    buf[at] = (length & 0x7f) | 0x80;
    buf[at + 1] = ((length >>> 7) & 0x7f) | 0x80;
    buf[at + 2] = ((length >>> 14) & 0x7f) | 0x80;
    buf[at + 3] = (length >>> 21) & 0x7f;
  }

  /** Leaves gRPC's prefix free and returns where; see closeGrpc(). */
  openGrpc(): number {
    this.ensure(GRPC_PREFIX_BYTES);
    const at = this.pos;
    this.pos += GRPC_PREFIX_BYTES;
    return at - this.#start;
  }

  /** Writes gRPC's prefix: not compressed, and the length of all that came since openGrpc() and of `apart` bytes that follow. */
  closeGrpc(mark: number, apart = 0): void {
    const at = mark + this.#start;
    this.buf[at] = 0;
    this.buf.writeUInt32BE(this.pos - at - GRPC_PREFIX_BYTES + apart, at + 1);
  }

  /** Writes a tag byte and a string as UTF-8. Returns how many bytes of UTF-8. */
  string(tag: number, text: string): number {
    const chars = text.length;
    this.ensure(chars * 3 + 8);
    const buf = this.buf;
    buf[this.pos++] = tag;
    if (chars <= LOOP_CHARS) {
      const lengthAt = this.pos++;
      let at = this.pos;
      for (let i = 0; i < chars; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) {
          // Not ASCII: 24 characters are at most 72 bytes, so one length byte still holds.
          at = this.pos + buf.write(text, this.pos, "utf8");
          break;
        }
        buf[at++] = code;
      }
      const bytes = at - this.pos;
      buf[lengthAt] = bytes;
      this.pos = at;
      return bytes;
    }
    const mark = this.open();
    const bytes = buf.write(text, this.pos, "utf8");
    this.pos += bytes;
    this.close(mark);
    return bytes;
  }

  /** Writes a tag byte and bytes. */
  bytes(tag: number, bytes: Uint8Array): void {
    this.ensure(bytes.length + 8);
    this.buf[this.pos++] = tag;
    this.varint(bytes.length);
    this.buf.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** Writes a tag byte and the length of bytes that follow without being written here. */
  bytesApart(tag: number, length: number): void {
    this.ensure(8);
    this.buf[this.pos++] = tag;
    this.varint(length);
  }

  /** Writes bytes that are already encoded. */
  raw(bytes: Uint8Array): void {
    this.ensure(bytes.length);
    this.buf.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** Writes a tag byte and an unsigned number of at most 32 bits, if it is not 0. */
  uint32(tag: number, value: number): void {
    if (value === 0) return;
    this.ensure(6);
    this.buf[this.pos++] = tag;
    this.varint(value);
  }

  /** Writes a tag byte and true, if it is true. */
  bool(tag: number, value: boolean): void {
    if (!value) return;
    this.ensure(2);
    this.buf[this.pos++] = tag;
    this.buf[this.pos++] = 1;
  }
}

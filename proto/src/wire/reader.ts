// Reads protobuf from a buffer by position, with every bound checked: what arrives may come from any program.

/** A message that is not what the contract says. The session it came on is of no more use. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** A cursor over encoded bytes. */
export class WireReader {
  buf: Buffer;
  pos: number;
  end: number;

  constructor(buf: Buffer, pos = 0, end = buf.length) {
    this.buf = buf;
    this.pos = pos;
    this.end = end;
  }

  /** Points the cursor at other bytes. */
  reset(buf: Buffer, pos: number, end: number): void {
    this.buf = buf;
    this.pos = pos;
    this.end = end;
  }

  /** Reads a varint; what is above 32 bits is dropped. */
  varint(): number {
    const buf = this.buf;
    let byte = buf[this.pos++] ?? 0;
    if (byte < 0x80 && this.pos <= this.end) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      if (this.pos >= this.end) break;
      byte = buf[this.pos++] ?? 0;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new WireError("a number is cut short");
  }

  /** Reads a length and returns the position behind the bytes that it counts; the cursor stands at their start. */
  lengthEnd(): number {
    const length = this.varint();
    const end = this.pos + length;
    if (end > this.end) throw new WireError("a field is longer than its message");
    return end;
  }

  /** Skips the value of a field. */
  skip(wireType: number): void {
    switch (wireType) {
      case 0:
        this.varint();
        return;
      case 1:
        this.pos += 8;
        break;
      case 2:
        this.pos = this.lengthEnd();
        return;
      case 5:
        this.pos += 4;
        break;
      default:
        throw new WireError(`wire type ${wireType} is not part of the contract`);
    }
    if (this.pos > this.end) throw new WireError("a field is cut short");
  }

  /** Reads a string of UTF-8. */
  string(): string {
    const end = this.lengthEnd();
    const text = this.slice(this.pos, end);
    this.pos = end;
    return text;
  }

  /** The string between two positions. */
  slice(start: number, end: number): string {
    return this.buf.toString("utf8", start, end);
  }

  /** Reads bytes, without a copy. */
  bytes(): Buffer {
    const end = this.lengthEnd();
    const bytes = this.buf.subarray(this.pos, end);
    this.pos = end;
    return bytes;
  }
}

const NAME = 0x0a;
const VALUE = 0x12;

/** Reads one Header or Param message (both are name = 1, value = 2) and appends name and value to `into`. */
export function readPair(reader: WireReader, into: string[]): void {
  const end = reader.lengthEnd();
  let name = "";
  let value = "";
  while (reader.pos < end) {
    const tag = reader.varint();
    if (tag === NAME) name = reader.string();
    else if (tag === VALUE) value = reader.string();
    else reader.skip(tag & 7);
  }
  if (reader.pos !== end) throw new WireError("a field is longer than its message");
  into.push(name, value);
}

// WebSocket frames byte by byte, for tests that send what no client would and read what a server sent (RFC 6455, section 5.2).

/** What a frame says; a good masked text frame where nothing is said. */
export interface FrameInit {
  readonly fin?: boolean;
  /** The three reserved bits, as a number of 0 to 7. */
  readonly rsv?: number;
  readonly opcode?: number;
  readonly masked?: boolean;
  readonly payload?: string | Buffer;
  /** Stands as the length instead of the payload's own; above 2^32 - 1 not needed. */
  readonly length?: bigint;
}

/** One frame as a client sends it. */
export function frame({ fin = true, rsv = 0, opcode = 1, masked = true, payload = "", length }: FrameInit = {}): Buffer {
  const bytes = Buffer.from(payload as string);
  const said = length ?? BigInt(bytes.length);
  const head = [((fin ? 8 : 0) << 4) | (rsv << 4) | opcode];
  const bit = masked ? 0x80 : 0;
  if (said < 126n) head.push(bit | Number(said));
  else if (said < 65_536n) head.push(bit | 126, Number(said >> 8n), Number(said & 255n));
  else {
    head.push(bit | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((said >> shift) & 255n));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), bytes]);
  const mask = [0x12, 0x34, 0x56, 0x78];
  return Buffer.concat([Buffer.from(head), Buffer.from(mask), Buffer.from(bytes.map((byte, at) => byte ^ (mask[at & 3] ?? 0)))]);
}

/** A close frame with a code and whatever bytes behind it. */
export function closeFrame(code: number, reason: string | Buffer = ""): Buffer {
  return frame({ opcode: 8, payload: Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]) });
}

/** A frame that a server sent. */
export interface ServerFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The whole frames at the beginning of some bytes; throws for one that a server must not send. */
export function readFrames(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const [first = 0, second = 0] = bytes.subarray(at, at + 2);
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0) throw new Error("a server's frame has a mask or a reserved bit");
    let length = second;
    let start = at + 2;
    if (second === 126) {
      if (start + 2 > bytes.length) break;
      length = bytes.readUInt16BE(start);
      start += 2;
    } else if (second === 127) {
      if (start + 8 > bytes.length) break;
      length = Number(bytes.readBigUInt64BE(start));
      start += 8;
    }
    if (start + length > bytes.length) break;
    frames.push({ fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}

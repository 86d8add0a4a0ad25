// HTTP/2 at the level of frames (RFC 9113), for what no client would send. Field sections are literals without an index
// (RFC 7541, section 6.2.2), so that nothing has to be remembered between them.

import type { Socket } from "node:net";
import { openSocket } from "./instance.ts";

export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** Types of frames. */
export const FRAME = { data: 0, headers: 1, rst: 3, settings: 4, ping: 6, goaway: 7, window: 8, continuation: 9 } as const;

/** Flags of frames. */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;

/** One frame. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    while (rest >= 128) {
      length.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** A field section: names and values in turn. */
export function section(...fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) parts.push(Buffer.from([0]), text(fields[i] ?? ""), text(fields[i + 1] ?? ""));
  return Buffer.concat(parts);
}

/** The pseudo-fields of a request. */
export const request = (path: string, method = "GET"): string[] => [":method", method, ":scheme", "http", ":path", path, ":authority", "x"];

/** A request's head as frames: HEADERS, and CONTINUATION where it is larger than a frame. */
export function headers(stream: number, block: Buffer, endStream = true): Buffer {
  const most = 16_384;
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += most) {
    const last = at + most >= block.length;
    const flags = (last ? FLAG.endHeaders : 0) | (at === 0 && endStream ? FLAG.endStream : 0);
    parts.push(frame(at === 0 ? FRAME.headers : FRAME.continuation, flags, stream, block.subarray(at, at + most)));
  }
  return Buffer.concat(parts);
}

/** A frame that came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A connection that has greeted. */
export interface FrameConnection {
  readonly socket: Socket;
  readonly frames: readonly Frame[];
  /** Resolves with the first frame for which this holds; null where the connection ended before one came. */
  until(wanted: (frame: Frame) => boolean): Promise<Frame | null>;
  readonly closed: Promise<unknown>;
}

/** Connects and greets. */
export async function dialFrames(url: string, settings: Uint8Array = new Uint8Array(0)): Promise<FrameConnection> {
  const socket = await openSocket(url);
  socket.on("error", () => undefined);
  const frames: Frame[] = [];
  const wakes = new Set<() => void>();
  let ended = false;
  let rest: Buffer = Buffer.alloc(0);
  const wake = (): void => {
    for (const each of [...wakes]) each();
  };
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => {
      ended = true;
      wake();
      resolve();
    }),
  );
  socket.on("data", (piece: Buffer) => {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      frames.push({ type: rest[3] ?? 0, flags: rest[4] ?? 0, stream: rest.readUInt32BE(5), payload: rest.subarray(9, end) });
      rest = rest.subarray(end);
    }
    wake();
  });
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(FRAME.settings, 0, 0, settings)]));
  return {
    socket,
    frames,
    closed,
    until: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = frames.find(wanted) ?? null;
          if (found === null && !ended) return;
          wakes.delete(look);
          resolve(found);
        };
        wakes.add(look);
        look();
      }),
  };
}

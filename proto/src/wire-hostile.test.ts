// The Session codec at its edges: large bodies, newer contracts, cut messages and bytes that no honest peer sends.
// Whatever comes, reading either gives frames or throws WireError.
import { expect, test } from "@jest/globals";
import { SessionRequest, SessionResponse, WebSocketPart } from "@headgate/proto/replica";
import fc from "fast-check";
import {
  GRPC_PREFIX_BYTES,
  HeaderMemo,
  WireError,
  WireWriter,
  encodeHeaders,
  readSessionRequest,
  readSessionResponse,
  writeRequestOpen,
  writeRequestPart,
  writeRequestRest,
  writeResponseOpen,
} from "./wire.ts";

const HEAD = {
  endpoint: "orders",
  method: "POST",
  target: "/größe?q=✓",
  headers: ["content-type", "text/plain", "x-name", "Zoë 🎉"],
  params: ["id", "7"],
  timeoutMs: 60_000,
  callMethod: "",
  requestId: "r-1",
  shadow: false,
  websocket: true,
  via: ["first", "second"],
  secure: true,
};
const MESSAGE = ((): Buffer => {
  const writer = new WireWriter();
  writeRequestOpen(writer, 1, HEAD, Buffer.from("hello"), false);
  writeRequestRest(writer, 1, Buffer.from(" world"), true, null, 9);
  writeRequestPart(writer, 1, WebSocketPart.TEXT, Buffer.from("!"), false);
  return Buffer.from(writer.take());
})();

const NOTHING_BESIDE = { ping() {}, roomAnswer() {} };
const NOTHING_TOLD = { draining() {}, pong() {}, room() {} };

/** Reads every field of a request message; returns what was thrown, if anything was. */
function readAllRequest(message: Buffer): unknown {
  try {
    readSessionRequest(message, {
      frame(_id, head) {
        if (head !== null) void [head.endpoint, head.method, head.target, head.headers, head.params, head.requestId, head.via];
      },
      ...NOTHING_BESIDE,
    });
    return null;
  } catch (error) {
    return error;
  }
}

function readAllResponse(message: Buffer): unknown {
  try {
    readSessionResponse(message, { frame() {}, ...NOTHING_TOLD }, new HeaderMemo());
    return null;
  } catch (error) {
    return error;
  }
}

const isRefusal = (thrown: unknown): boolean => thrown === null || thrown instanceof WireError;

test("any bytes are read or refused with WireError, never worse", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(isRefusal(readAllRequest(Buffer.from(bytes)))).toBe(true);
      expect(isRefusal(readAllResponse(Buffer.from(bytes)))).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("a good message with some bytes changed is read or refused with WireError, never worse", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(MESSAGE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
      const message = Buffer.from(MESSAGE);
      for (const [at, byte] of changes) message[at] = byte;
      expect(isRefusal(readAllRequest(message))).toBe(true);
      expect(isRefusal(readAllResponse(message))).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("a message cut anywhere but between frames is refused", () => {
  const boundaries = new Set<number>([0, MESSAGE.length]);
  const first = new WireWriter();
  writeRequestOpen(first, 1, HEAD, Buffer.from("hello"), false);
  boundaries.add(first.length);
  writeRequestRest(first, 1, Buffer.from(" world"), true, null, 9);
  boundaries.add(first.length);
  for (let length = 0; length <= MESSAGE.length; length++) {
    const thrown = readAllRequest(MESSAGE.subarray(0, length));
    if (boundaries.has(length)) expect(thrown).toBeNull();
    else expect(thrown).toBeInstanceOf(WireError);
  }
});

test("fields that a newer contract adds are passed over, at every level", () => {
  // Field 15 with each wire type: a number, eight bytes, a length, four bytes.
  const unknown = Buffer.from([0x78, 0x96, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 0xff, 0xff, 0x7d, 1, 2, 3, 4]);
  const header = Buffer.concat([Buffer.from([0x0a, 1, 0x61]), unknown, Buffer.from([0x12, 1, 0x62])]);
  const head = Buffer.concat([unknown, Buffer.from([0x0a, 1, 0x65, 0x22, header.length]), header]);
  const frame = Buffer.concat([unknown, Buffer.from([0x08, 5, 0x12, head.length]), head, Buffer.from([0x20, 1])]);
  const message = Buffer.concat([unknown, Buffer.from([0x0a, frame.length]), frame, unknown]);
  const seen: unknown[] = [];
  readSessionRequest(message, {
    frame: (id, view, _body, end) => seen.push([id, view?.endpoint, view?.headers, end]),
    ...NOTHING_BESIDE,
  });
  expect(seen).toEqual([[5, "e", ["a", "b"], true]]);
  expect(SessionRequest.decode(message).frames[0]?.streamId).toBe(5);
});

test("a status that comes behind the fields is found", () => {
  const head = Buffer.concat([encodeHeaders(["a", "b"]), Buffer.from([0x08, 0xc9, 0x01])]);
  const frame = Buffer.concat([Buffer.from([0x08, 1, 0x12, head.length]), head]);
  const seen: unknown[] = [];
  readSessionResponse(
    Buffer.concat([Buffer.from([0x0a, frame.length]), frame]),
    { frame: (_id, status, headers) => seen.push([status, headers]), ...NOTHING_TOLD },
    new HeaderMemo(),
  );
  expect(seen).toEqual([[201, ["a", "b"]]]);
});

test("a body of 4 MiB goes through whole, and what was taken before stays as it was", () => {
  const body = Buffer.alloc(4 * 1024 * 1024, "ß");
  const writer = new WireWriter();
  writeRequestRest(writer, 1, Buffer.from("small"), false, null, 0);
  const before = writer.take();
  const copy = Buffer.from(before);
  const mark = writer.openGrpc();
  writeRequestOpen(writer, 2, HEAD, body, true);
  writer.closeGrpc(mark);
  const message = writer.take();
  expect(writer.empty).toBe(true);
  expect(before.equals(copy)).toBe(true);
  expect(message[0]).toBe(0);
  expect(message.readUInt32BE(1)).toBe(message.length - GRPC_PREFIX_BYTES);
  let length = 0;
  readSessionRequest(message.subarray(GRPC_PREFIX_BYTES), {
    frame(id, head, read) {
      length = read?.length ?? 0;
      expect([id, head?.target, head?.headers]).toEqual([2, HEAD.target, HEAD.headers]);
      expect(read?.equals(body)).toBe(true);
    },
    ...NOTHING_BESIDE,
  });
  expect(length).toBe(body.length);
});

test("strings around the length at which the writer changes its way are the same bytes as the generated code's", () => {
  for (const unit of ["a", "é", "€", "🎉", "\ud800", "\0"]) {
    for (const count of [0, 1, 23, 24, 25, 42, 43, 127, 128, 5_000]) {
      const text = unit.repeat(count);
      const writer = new WireWriter();
      writeResponseOpen(writer, 1, 200, encodeHeaders([]), text, true);
      expect(Buffer.from(SessionResponse.decode(writer.take()).frames[0]?.body ?? []).equals(Buffer.from(text))).toBe(true);
    }
  }
});

test("the header memo gives the last block again only for the very same bytes", () => {
  const memo = new HeaderMemo();
  const first = encodeHeaders(["a", "1"]);
  const other = encodeHeaders(["a", "2"]);
  const long = encodeHeaders(["a", "x".repeat(2_000)]);
  const read = (block: Uint8Array): readonly string[] => memo.read(Buffer.from(block), 0, block.length);
  const once = read(first);
  expect(once).toEqual(["a", "1"]);
  expect(read(first)).toBe(once);
  expect(read(other)).toEqual(["a", "2"]);
  expect(read(first)).toEqual(["a", "1"]);
  expect(read(long)).toEqual(["a", "x".repeat(2_000)]);
  expect(read(first)).toEqual(["a", "1"]);
  expect(read(Buffer.alloc(0))).toEqual([]);
});

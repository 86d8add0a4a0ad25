// The Session codec against the generated code, in both directions, and against bytes that no honest peer sends.
import { expect, test } from "@jest/globals";
import { Fault } from "@headgate/proto/fault";
import { ResultForm, RoomAnswer, SessionRequest, SessionResponse, WebSocketPart } from "@headgate/proto/replica";
import fc from "fast-check";
import {
  HeaderMemo,
  WireWriter,
  encodeHeaders,
  readSessionRequest,
  readSessionResponse,
  writeDraining,
  writePing,
  writePong,
  writeRequestOpen,
  writeRequestPart,
  writeRequestRest,
  writeRoom,
  writeRoomAnswer,
  writeResponseFault,
  writeResponseOpen,
  writeResponsePart,
  writeResponseRest,
} from "./wire.ts";

const uint32 = fc.oneof(fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, 0x7fff_ffff, 0xffff_ffff), fc.nat(0xffff_ffff));
const text = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: "grapheme", maxLength: 40 }), fc.string({ maxLength: 300 }));
const bytes = fc.uint8Array({ maxLength: 400 });
const pairs = fc.array(fc.tuple(text, text), { maxLength: 6 }).map((list) => list.flat());

const requestHead = fc.record({
  endpoint: text,
  method: text,
  target: text,
  headers: pairs,
  params: pairs,
  timeoutMs: uint32,
  callMethod: text,
  requestId: text,
  shadow: fc.boolean(),
  websocket: fc.boolean(),
  via: fc.array(text, { maxLength: 4 }),
  secure: fc.boolean(),
});
const part = fc.constantFrom(...Object.values(WebSocketPart));
const requestFrame = fc.record({
  streamId: uint32,
  head: fc.option(requestHead),
  body: bytes,
  end: fc.boolean(),
  cancel: fc.boolean(),
  credit: uint32,
  trailers: pairs,
  expired: fc.boolean(),
  part,
});
const fault = fc.record({
  code: text,
  message: text,
  retryable: fc.boolean(),
  details: fc.dictionary(
    fc.string({ minLength: 1, maxLength: 8 }).filter((key) => key !== "__proto__"),
    text,
    { noNullPrototype: true },
  ),
  retryAfterMs: uint32,
});

const inPairs = (list: readonly string[]): { name: string; value: string }[] =>
  Array.from({ length: list.length / 2 }, (_, i) => ({ name: list[2 * i] ?? "", value: list[2 * i + 1] ?? "" }));
const flat = (list: readonly { name: string; value: string }[]): string[] => list.flatMap(({ name, value }) => [name, value]);
const plain = (value: Uint8Array | null): number[] => (value === null ? [] : [...value]);

/** The frames of a request message as plain values. */
function requestFramesOf(message: Uint8Array): unknown[] {
  const frames: unknown[] = [];
  readSessionRequest(Buffer.from(message), {
    frame(streamId, head, body, end, cancel, credit, trailers, seenPart) {
      const { endpoint, method, target, headers, params, timeoutMs, callMethod, requestId, shadow, websocket, via, secure } = head ?? {};
      const seen =
        head === null
          ? null
          : { endpoint, method, target, headers, params, timeoutMs, callMethod, requestId, shadow, websocket, via, secure };
      frames.push({ streamId, head: seen, body: plain(body), end, cancel, credit, trailers: [...trailers], part: seenPart });
    },
    ping: (number) => frames.push({ ping: number }),
    roomAnswer: (answer) => frames.push({ roomAnswer: answer }),
  });
  return frames;
}

/** The frames of a response message as plain values. */
function responseFramesOf(message: Uint8Array, memo = new HeaderMemo()): unknown[] {
  const frames: unknown[] = [];
  readSessionResponse(
    Buffer.from(message),
    {
      frame(streamId, status, headers, body, end, seenFault, credit, trailers, seenPart, form) {
        const plainly = { headers: [...headers], body: plain(body), trailers: [...trailers] };
        frames.push({ streamId, status, ...plainly, end, fault: seenFault, credit, part: seenPart, form });
      },
      draining() {
        frames.push("draining");
      },
      pong: (number) => frames.push({ pong: number }),
      room: (places) => frames.push({ room: places }),
    },
    memo,
  );
  return frames;
}

test("requests that the generated code wrote are read as they were meant", () => {
  fc.assert(
    fc.property(fc.array(requestFrame, { maxLength: 5 }), (frames) => {
      const message = SessionRequest.encode({
        frames: frames.map((frame) => ({
          ...frame,
          trailers: inPairs(frame.trailers),
          head:
            frame.head === null ? undefined : { ...frame.head, headers: inPairs(frame.head.headers), params: inPairs(frame.head.params) },
        })),
        ping: 0,
        roomAnswer: RoomAnswer.UNSPECIFIED,
      }).finish();
      const meant = frames.map(({ expired, ...frame }) => ({
        ...frame,
        body: [...frame.body],
        cancel: frame.cancel ? (expired ? "deadline_exceeded" : "cancelled") : null,
      }));
      expect(requestFramesOf(message)).toEqual(meant);
    }),
  );
});

test("requests that the codec writes are read by the generated code as they were meant", () => {
  fc.assert(
    fc.property(fc.array(requestFrame, { maxLength: 5 }), (frames) => {
      const writer = new WireWriter();
      for (const { streamId, head, body, end, cancel, credit, trailers, expired } of frames) {
        const reason = cancel ? (expired ? "deadline_exceeded" : "cancelled") : null;
        if (head === null) writeRequestRest(writer, streamId, body, end, reason, credit, trailers);
        else writeRequestOpen(writer, streamId, head, body, end);
      }
      const read = SessionRequest.decode(writer.take()).frames.map((frame) => ({
        ...frame,
        head: frame.head === undefined ? null : { ...frame.head, headers: flat(frame.head.headers), params: flat(frame.head.params) },
        body: [...frame.body],
        trailers: flat(frame.trailers),
      }));
      // An opening frame carries neither a cancel nor credit nor trailers.
      const meant = frames.map((frame) => ({
        ...frame,
        body: [...frame.body],
        cancel: frame.head === null && frame.cancel,
        credit: frame.head === null ? frame.credit : 0,
        trailers: frame.head === null ? frame.trailers : [],
        expired: frame.head === null && frame.cancel && frame.expired,
        part: 0,
      }));
      expect(read).toEqual(meant);
    }),
  );
});

const form = fc.constantFrom(...Object.values(ResultForm));
const responseHead = fc.record({ status: fc.integer({ min: 1, max: 999 }), headers: pairs, form });

test("responses that the generated code wrote are read as they were meant", () => {
  const frame = fc.record({
    streamId: uint32,
    head: fc.option(responseHead),
    body: bytes,
    end: fc.boolean(),
    fault: fc.option(fault),
    credit: uint32,
    trailers: pairs,
    part,
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 5 }), fc.boolean(), (frames, draining) => {
      const message = SessionResponse.encode({
        frames: frames.map((one) => ({
          ...one,
          head: one.head === null ? undefined : { ...one.head, headers: inPairs(one.head.headers) },
          fault: one.fault ?? undefined,
          trailers: inPairs(one.trailers),
        })),
        draining,
        pong: 0,
        room: 0,
      }).finish();
      const meant = frames.map(({ head, ...rest }) => ({
        ...rest,
        status: head?.status ?? 0,
        headers: head?.headers ?? [],
        form: head?.form ?? 0,
        body: [...rest.body],
        fault: rest.fault === null ? null : expect.objectContaining({ code: rest.fault.code, message: rest.fault.message }),
      }));
      expect(responseFramesOf(message)).toEqual(draining ? [...meant, "draining"] : meant);
    }),
  );
});

test("responses that the codec writes are read by the generated code as they were meant", () => {
  const opened = fc.record({ streamId: uint32, head: responseHead, body: fc.oneof(bytes, text), end: fc.boolean() });
  const rest = fc.record({ streamId: uint32, body: bytes, end: fc.boolean(), credit: uint32, trailers: pairs });
  fc.assert(
    fc.property(opened, rest, fault, (open, more, failed) => {
      const writer = new WireWriter();
      writeResponseOpen(writer, open.streamId, open.head.status, encodeHeaders(open.head.headers, open.head.form), open.body, open.end);
      writeResponseRest(writer, more.streamId, more.body, more.end, more.credit, more.trailers);
      writeResponseFault(writer, 7, failed);
      writeDraining(writer);
      const read = SessionResponse.decode(writer.take());
      const body = Buffer.from(typeof open.body === "string" ? open.body : open.body);
      expect(read.draining).toBe(true);
      expect(read.frames[0]).toMatchObject({
        streamId: open.streamId,
        end: open.end,
        head: { status: open.head.status, form: open.head.form },
      });
      expect(flat(read.frames[0]?.head?.headers ?? [])).toEqual(open.head.headers);
      expect([...(read.frames[0]?.body ?? [])]).toEqual([...body]);
      expect(read.frames[1]).toMatchObject({ streamId: more.streamId, end: more.end, credit: more.credit });
      expect([...(read.frames[1]?.body ?? [])]).toEqual([...more.body]);
      expect(flat(read.frames[1]?.trailers ?? [])).toEqual(more.trailers);
      expect(read.frames[2]?.streamId).toBe(7);
      expect(Fault.toJSON(read.frames[2]?.fault ?? Fault.fromPartial({}))).toEqual(Fault.toJSON(failed));
    }),
  );
});

test("parts of WebSockets that the codec writes are read by the generated code as they were meant", () => {
  const piece = fc.record({ streamId: uint32, part, body: fc.oneof(bytes, text), end: fc.boolean() });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
      const [requests, responses] = [new WireWriter(), new WireWriter()];
      const meant = pieces.map(({ body, ...rest }) => ({ ...rest, body: [...Buffer.from(typeof body === "string" ? body : body)] }));
      pieces.forEach((one, index) => {
        writeRequestPart(requests, one.streamId, one.part, Buffer.from(meant[index]?.body ?? []), one.end);
        expect(writeResponsePart(responses, one.streamId, one.part, one.body, one.end)).toBe(meant[index]?.body.length);
      });
      const seen = (frames: readonly { streamId: number; part: number; body: Uint8Array; end: boolean }[]): unknown[] =>
        frames.map(({ streamId, part: seenPart, body, end }) => ({ streamId, part: seenPart, end, body: [...body] }));
      expect(seen(SessionRequest.decode(requests.take()).frames)).toEqual(meant);
      expect(seen(SessionResponse.decode(responses.take()).frames)).toEqual(meant);
    }),
  );
});

test("what both sides say beside their frames is the same by the codec and by the generated code", () => {
  const answer = fc.constantFrom(RoomAnswer.MORE, RoomAnswer.DONE);
  fc.assert(
    fc.property(uint32, answer, uint32, uint32, (ping, roomAnswer, pong, room) => {
      const [request, response] = [new WireWriter(), new WireWriter()];
      writePing(request, ping);
      writeRoomAnswer(request, roomAnswer);
      writePong(response, pong);
      writeRoom(response, room);
      const asked = Buffer.from(request.take());
      const told = Buffer.from(response.take());
      expect(SessionRequest.decode(asked)).toEqual({ frames: [], ping, roomAnswer });
      expect(SessionResponse.decode(told)).toEqual({ frames: [], draining: false, pong, room });
      expect(requestFramesOf(SessionRequest.encode({ frames: [], ping, roomAnswer }).finish())).toEqual(
        ping === 0 ? [{ roomAnswer }] : [{ ping }, { roomAnswer }],
      );
      const heard = [...(pong === 0 ? [] : [{ pong }]), ...(room === 0 ? [] : [{ room }])];
      expect(responseFramesOf(SessionResponse.encode({ frames: [], draining: false, pong, room }).finish())).toEqual(heard);
    }),
  );
});

test("a body that is sent apart from its frame makes the same message", () => {
  fc.assert(
    fc.property(requestHead, fc.uint8Array({ minLength: 1, maxLength: 400 }), (head, body) => {
      const together = new WireWriter();
      writeRequestOpen(together, 7, head, body, true);
      const apart = new WireWriter();
      writeRequestOpen(apart, 7, head, null, true, body.length);
      expect(SessionRequest.decode(Buffer.concat([apart.take(), body]))).toEqual(SessionRequest.decode(together.take()));
      const responses = [new WireWriter(), new WireWriter()] as const;
      writeResponseOpen(responses[0], 7, 200, encodeHeaders(head.headers), body, true);
      writeResponseOpen(responses[1], 7, 200, encodeHeaders(head.headers), null, true, body.length);
      expect(SessionResponse.decode(Buffer.concat([responses[1].take(), body]))).toEqual(SessionResponse.decode(responses[0].take()));
    }),
  );
});

test("an empty body that is written all the same is none", () => {
  const bodies: unknown[] = [];
  readSessionResponse(
    // One frame of stream 5, whose body has no bytes.
    Buffer.from([0x0a, 4, 0x08, 5, 0x1a, 0]),
    {
      frame: (_stream, _status, _headers, body) => void bodies.push(body),
      draining: () => undefined,
      pong: () => undefined,
      room: () => undefined,
    },
    new HeaderMemo(),
  );
  expect(bodies).toEqual([null]);
});

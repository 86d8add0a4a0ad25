// A replica program that breaks the contract in the way that the last part of a request's path names. Its argument says what it serves:
// `session`, `direct` or `unary`. What a caller must see of each way stands in scenario/garbage.test.ts.

import { HandleResponse, ResponseFrame, SessionResponse } from "@headgate/proto/replica";
import { type Asked, type Serves, framed, joinAsReplica } from "./foreign-replica.ts";

type Head = { status: number; headers?: Record<string, string> };
interface Answer {
  readonly streamId?: number;
  readonly head?: Head;
  readonly body?: string | Uint8Array;
  readonly end?: boolean;
  readonly fault?: { code: string; message: string; retryAfterMs?: number };
  readonly credit?: number;
  readonly trailers?: Record<string, string>;
}

const inPairs = (fields: Record<string, string> = {}): { name: string; value: string }[] =>
  Object.entries(fields).map(([name, value]) => ({ name, value }));
const inBytes = (body: string | Uint8Array = ""): Uint8Array => (typeof body === "string" ? Buffer.from(body) : body);

function parts({ head, body, fault, trailers }: Answer) {
  return {
    head: head === undefined ? undefined : { status: head.status, headers: inPairs(head.headers) },
    body: inBytes(body),
    fault: fault === undefined ? undefined : { retryable: false, details: {}, ...fault },
    trailers: inPairs(trailers),
  };
}

/** One request with short ways to answer it. */
class Speaker {
  readonly asked: Asked;
  readonly session: boolean;

  constructor(asked: Asked, session: boolean) {
    this.asked = asked;
    this.session = session;
  }

  raw(bytes: Uint8Array): void {
    if (!this.asked.stream.destroyed) this.asked.stream.write(bytes);
  }

  /** One message of these bytes. Nothing follows on Handle. */
  message(bytes: Uint8Array): void {
    this.raw(framed(bytes));
    if (!this.session) this.asked.stream.end();
  }

  /** One message of well-formed frames; on Handle the first of them as the whole answer. */
  say(...answers: Answer[]): void {
    const [first = {}] = answers;
    if (!this.session) this.message(HandleResponse.encode(HandleResponse.fromPartial(parts(first))).finish());
    else this.message(this.encode(...answers));
  }

  encode(...answers: Answer[]): Uint8Array {
    const frames = answers.map((answer) =>
      ResponseFrame.fromPartial({ streamId: this.asked.id, ...answer, ...parts(answer), end: answer.end ?? false }),
    );
    return SessionResponse.encode(SessionResponse.fromPartial({ frames })).finish();
  }

  fine(body = "fine"): void {
    this.say({ head: { status: 200 }, body, end: true });
  }

  head(headers: Record<string, string>): void {
    this.say({ head: { status: 200, headers }, body: "fine", end: true });
  }

  begin(): void {
    this.say({ head: { status: 200 }, body: "begun" });
  }
}

/** A message with one frame of these raw fields. */
const frameOf = (...fields: number[]): Buffer => Buffer.from([0x0a, fields.length, ...fields]);
const status = (code: number) => (to: Speaker) => to.say({ head: { status: code }, body: "x", end: true });
const field = (name: string, value: string) => (to: Speaker) => to.head({ [name]: value });

/** Ways to break the contract by name. */
const WAYS: Readonly<Record<string, (to: Speaker) => void>> = {
  fine: (to) => to.fine(),
  // Messages that are none.
  "no-protobuf": (to) => to.message(Buffer.from("<html>502 Bad Gateway</html>")),
  "wrong-wire-types": (to) => to.message(frameOf(0x0d, 1, 0, 0, 0, 0x10, 7, 0x1f, 0xff)),
  "truncated-frame": (to) => to.message(to.encode({ head: { status: 200 }, body: "fine", end: true }).subarray(0, -3)),
  "frame-longer-than-message": (to) => to.message(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1])),
  "varint-without-end": (to) => to.message(Buffer.alloc(40, 0xff)),
  "giant-length": (to) => to.raw(framed(Buffer.from("x"), 0, 0xffff_ffff)),
  "compressed-flag": (to) => to.raw(framed(Buffer.from("x"), 1)),
  "message-of-5-MiB": (to) => to.message(Buffer.alloc(5 * 1024 * 1024)),
  "empty-message": (to) => {
    if (to.session) to.message(Buffer.alloc(0));
    to.message(to.session ? to.encode({ head: { status: 200 }, body: "fine", end: true }) : Buffer.alloc(0));
  },
  "last-word-amid-requests": (to) => to.raw(framed(Buffer.from("grpc-status: 0\r\n"), 0x80)),
  // Frames for others.
  "unknown-stream": (to) => to.say({ streamId: to.asked.id + 1_000_000, head: { status: 200 }, body: "for nobody", end: true }),
  "stream-zero": (to) => to.say({ streamId: 0, head: { status: 200 }, body: "for nobody", end: true }),
  "huge-stream-number": (to) => {
    to.message(frameOf(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x20, 1));
  },
  // Frames out of order.
  "head-twice": (to) => to.say({ head: { status: 200 }, body: "begun" }, { head: { status: 200 }, body: "again", end: true }),
  "body-before-head": (to) => to.say({ body: "early" }, { head: { status: 200 }, end: true }),
  "end-before-head": (to) => to.say({ end: true }),
  "end-twice": (to) => to.say({ head: { status: 200 }, body: "fine", end: true }, { end: true }),
  "frames-after-end": (to) => to.say({ head: { status: 200 }, body: "fine", end: true }, { body: "more" }, { head: { status: 500 } }),
  "head-and-fault": (to) => to.say({ head: { status: 200 }, body: "both", fault: { code: "handler_error", message: "both" }, end: true }),
  "fault-after-begin": (to) => to.say({ head: { status: 200 }, body: "begun" }, { fault: { code: "handler_error", message: "no" } }),
  // Heads that cannot be sent on.
  "status-0": status(0),
  "status-99": status(99),
  "status-101": status(101),
  "status-600": status(600),
  "status-1000": status(1000),
  "status-4294967295": status(0xffff_ffff),
  "name-with-space": field("x y", "1"),
  "name-with-line-end": field("x\r\nset-cookie: a=b\r\ny", "1"),
  "name-with-nul": field("x\0", "1"),
  "name-in-upper-case": field("X-Upper", "1"),
  "name-empty": field("", "1"),
  "value-with-line-end": field("x-a", "1\r\nset-cookie: a=b"),
  "value-with-nul": field("x-a", "1\0"),
  "value-beyond-latin-1": field("x-a", "✓"),
  "cookie-with-line-end": field("set-cookie", "a=b\nset-cookie: c=d"),
  "fields-10000": (to) => to.head(Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x-${i}`, "1"]))),
  "field-of-100-KiB": field("x-long", "x".repeat(100 * 1024)),
  "hop-by-hop": (to) => {
    to.head({ "content-length": "99999", "transfer-encoding": "chunked", connection: "close", "keep-alive": "timeout=1", upgrade: "h2c" });
  },
  "trailers-with-line-end": (to) => {
    to.say({ head: { status: 200 }, body: "fine" }, { end: true, trailers: { "x-t": "1\r\n\r\nGET / HTTP/1.1" } });
  },
  "trailers-10000": (to) => {
    const trailers = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x-${i}`, "1"]));
    to.say({ head: { status: 200 }, body: "begun" }, { end: true, trailers });
  },
  // More than was agreed on.
  "more-than-its-credit": (to) => {
    to.begin();
    // A reader that takes everything gives credit again, so that it must come at once.
    to.say(...Array.from({ length: 50 }, () => ({ body: Buffer.alloc(64 * 1024, "x") })), { end: true });
  },
  "whole-beyond-its-credit": (to) => to.say({ head: { status: 200 }, body: Buffer.alloc(300 * 1024, "x"), end: true }),
  "credit-overflow": (to) => to.say({ credit: 0xffff_ffff }, { credit: 0xffff_ffff }, { head: { status: 200 }, body: "fine", end: true }),
  // Faults.
  "fault-unknown": (to) => to.say({ fault: { code: "no_such_code", message: "at /srv/secret.ts:1" } }),
  "fault-of-others": (to) => to.say({ fault: { code: "store_corrupt", message: "reinstall everything" } }),
  "fault-of-1-MiB": (to) => to.say({ fault: { code: "handler_error", message: "m".repeat(1024 * 1024) } }),
  "fault-with-lone-surrogates": (to) => to.say({ fault: { code: "handler_error", message: "\ud800", retryAfterMs: 0xffff_ffff } }),
  // Connections.
  "stream-reset": (to) => to.asked.stream.close(2),
  "stream-ended": (to) => void to.asked.stream.end(),
  goaway: (to) => to.asked.connection.goaway(1),
  "connection-closed": (to) => to.asked.connection.destroy(),
  "closed-within-a-frame": (to) => {
    to.raw(framed(Buffer.from("half"), 0, 1_000));
    setImmediate(() => to.asked.connection.destroy());
  },
  "closed-after-begin": (to) => {
    to.begin();
    setTimeout(() => to.asked.connection.destroy(), 50);
  },
  // Time.
  "no-answer": () => undefined,
  "no-end": (to) => to.begin(),
  "answer-after-cancel": (to) => void to.asked.cancelled.then(() => to.fine("too late")),
  "draining-and-on": (to) => {
    to.message(SessionResponse.encode(SessionResponse.fromPartial({ draining: true })).finish());
    to.fine();
  },
  "room-and-pongs-unasked": (to) => {
    to.message(SessionResponse.encode(SessionResponse.fromPartial({ room: 0xffff_ffff, pong: 77 })).finish());
    to.fine();
  },
};

const SERVES: Readonly<Record<string, Serves>> = { session: "session", direct: "direct", unary: "unary" };
const serves = SERVES[process.argv[2] ?? ""] ?? "session";
await joinAsReplica(serves, (asked) => {
  const path = new URL(asked.head.target, "http://replica").pathname.split("/").slice(2);
  const to = new Speaker(asked, serves !== "unary");
  const [way = "", token = ""] = path;
  // Others of the same connection, answered a little later.
  if (way === "echo") setTimeout(() => to.fine(token), 30);
  else if (way === "secure") to.fine(String(to.asked.head.secure));
  else (WAYS[way] ?? ((speaker: Speaker) => speaker.fine(`there is no way ${way}`)))(to);
});

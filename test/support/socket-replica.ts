// A replica program that speaks WebSockets over Session by the contract's words alone, well or badly, as the last part of a request's
// path says. `session` or `unary` as its argument. What a caller must see of each way stands in scenario/websocket-contract.test.ts.

import { type RequestFrame, ResponseFrame, SessionResponse, WebSocketPart } from "@headgate/proto/replica";
import { type Asked, framed, joinAsReplica } from "./foreign-replica.ts";

interface Answer {
  readonly head?: { readonly status: number; readonly headers?: { readonly name: string; readonly value: string }[] };
  readonly part?: WebSocketPart;
  readonly body?: string | Uint8Array;
  readonly end?: boolean;
  readonly credit?: number;
  readonly fault?: { readonly code: string; readonly message: string };
}

const { TEXT, BINARY, TEXT_CONTINUES, BINARY_CONTINUES, CLOSE } = WebSocketPart;
const ACCEPT: Answer = { head: { status: 101 } };

/** Sends frames of one request in one message. */
function say({ id, stream }: Asked, ...answers: readonly Answer[]): void {
  const frames = answers.map(({ body = "", fault, ...rest }) =>
    ResponseFrame.fromPartial({
      streamId: id,
      ...rest,
      ...(fault === undefined ? {} : { fault: { retryable: false, details: {}, retryAfterMs: 0, ...fault } }),
      body: typeof body === "string" ? Buffer.from(body) : body,
    }),
  );
  if (!stream.destroyed) stream.write(framed(SessionResponse.encode(SessionResponse.fromPartial({ frames })).finish()));
}

const closing = (code: number, reason = ""): Answer => ({
  part: CLOSE,
  body: Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]),
});

/** Echoes messages as they come, pieces as pieces, and ends with the caller's close. Nothing waits, so that all credit is given back. */
function echo(asked: Asked): void {
  say(asked, ACCEPT);
  asked.heard = ({ part, body, end }: RequestFrame) => {
    if (part === CLOSE || end) say(asked, { end: true });
    else if (part !== WebSocketPart.UNSPECIFIED) say(asked, { part, body, credit: body.length + 16 });
  };
}

/** What it does by name. */
const WAYS: Readonly<Record<string, (asked: Asked) => void>> = {
  echo,
  // A message in pieces that are cut within a character, and an empty last one.
  pieces: (asked) =>
    say(
      asked,
      ACCEPT,
      { part: TEXT_CONTINUES, body: Buffer.from([0xc3]) },
      { part: TEXT_CONTINUES, body: Buffer.from([0xbc, 0x62]) },
      { part: TEXT, body: "er" },
      { part: BINARY_CONTINUES, body: Buffer.alloc(65_536, 1) },
      { part: BINARY },
      { ...closing(4_000, "fine"), end: true },
    ),
  "end-alone": (asked) => say(asked, ACCEPT, { part: TEXT, body: "x" }, { end: true }),
  "close-then-end": (asked) => {
    say(asked, ACCEPT, closing(4_001, "later"));
    asked.heard = ({ part, body }) =>
      say(asked, { end: true, part: part === CLOSE && Buffer.from(body).readUInt16BE(0) === 4_001 ? 0 : TEXT });
  },
  "close-without-code": (asked) => say(asked, ACCEPT, { part: CLOSE, end: true }),
  fault: (asked) => say(asked, ACCEPT, { fault: { code: "handler_error", message: "the password is hunter2" } }),
  early: (asked) => say(asked, { part: TEXT, body: "x" }),
  protocol: (asked) => say(asked, { head: { status: 101, headers: [{ name: "sec-websocket-protocol", value: "v9" }] } }),
  field: (asked) => say(asked, { head: { status: 101, headers: [{ name: "x-bad", value: "a\r\nb: c" }] } }),
  "accept-and-end": (asked) => say(asked, { ...ACCEPT, end: true }),
  twice: (asked) => say(asked, ACCEPT, ACCEPT),
  answered: (asked) => say(asked, ACCEPT, { head: { status: 200 }, body: "x", end: true }),
  body: (asked) => say(asked, ACCEPT, { body: "x" }),
  mixed: (asked) => say(asked, ACCEPT, { part: TEXT_CONTINUES, body: "x" }, { part: BINARY, body: "y" }),
  "bad-close": (asked) => say(asked, ACCEPT, closing(1_005)),
  "short-close": (asked) => say(asked, ACCEPT, { part: CLOSE, body: "x" }),
  plain: (asked) => say(asked, { head: { status: 200 }, body: "plain", end: true }),
};

await joinAsReplica(process.argv[2] === "session" ? "session" : "unary", (asked) => {
  const name = asked.head.target.split("/").at(-1) ?? "";
  const way = WAYS[name];
  if (way === undefined) throw new Error(`there is no way "${name}"`);
  way(asked);
});

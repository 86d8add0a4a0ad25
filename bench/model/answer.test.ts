// Reading answers, whole and in every cut.
import { expect, test } from "@jest/globals";
import { type Answer, AnswerReader } from "./answer.ts";

const LENGTH = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n, world!!!\r\n0\r\n\r\n";
const TRAILERS = CHUNKED.replace("0\r\n\r\n", "0\r\nsum: 1\r\n\r\n");
const EMPTY = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

function read(pieces: readonly Buffer[]): readonly (Answer | string)[] {
  const reader = new AnswerReader();
  const seen: (Answer | string)[] = [];
  for (const piece of pieces) {
    const taken = reader.take(piece);
    if (!taken.ok) seen.push(taken.error);
    else if (taken.value !== null) seen.push(taken.value);
  }
  return seen;
}

test.each([
  [LENGTH, { status: 200, bodyBytes: 5, begin: "hello" }],
  [CHUNKED, { status: 201, bodyBytes: 15, begin: "hello, world!!!" }],
  [TRAILERS, { status: 201, bodyBytes: 15, begin: "hello, world!!!" }],
  [EMPTY, { status: 503, bodyBytes: 0, begin: "" }],
])("an answer is the same wherever it is cut: %j", (text, answer) => {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at++) {
    expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toEqual([answer]);
  }
  expect(read([bytes, bytes])).toEqual([answer, answer]);
});

test("of a large body its size and its beginning remain", () => {
  const head = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
  const [answer] = read([head, Buffer.alloc(400_000, "x"), Buffer.alloc(600_000, "y")]);
  expect(answer).toEqual({ status: 200, bodyBytes: 1_000_000, begin: "x".repeat(64) });
});

test.each([
  ["garbage\r\n\r\n", "not an answer"],
  ["HTTP/1.1 200 OK\r\n\r\n", "neither"],
  ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "not the size"],
  [`${LENGTH}more`, "behind the end"],
  [`HTTP/1.1 200 OK\r\n${"x".repeat(20_000)}`, "no end"],
])("what is not an answer is told: %j", (text, words) => {
  expect(read([Buffer.from(text)])).toEqual([expect.stringContaining(words)]);
});

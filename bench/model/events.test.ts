// Counting the events of an answer, whole and in every cut.
import { expect, test } from "@jest/globals";
import { EventCounter } from "./events.ts";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const ANSWER = Buffer.from(`${HEAD}9\r\ndata: 1\n\n\r\n12\r\ndata: 2\n\ndata: 3\n\n\r\n0\r\n\r\n`);

function count(pieces: readonly Uint8Array[]): EventCounter {
  const counter = new EventCounter();
  for (const piece of pieces) counter.take(piece);
  return counter;
}

test("events and the end are found wherever the answer is cut", () => {
  for (let at = 0; at <= ANSWER.length; at++) {
    const counter = count([ANSWER.subarray(0, at), ANSWER.subarray(at)]);
    expect(counter).toMatchObject({ events: 3, ended: true, wrong: false });
  }
  expect(count([...ANSWER].map((byte) => Uint8Array.of(byte)))).toMatchObject({ events: 3, ended: true, wrong: false });
});

test("an answer has not ended before its last byte", () => {
  expect(count([ANSWER.subarray(0, -1)]).ended).toBe(false);
  expect(count([Buffer.from(HEAD)])).toMatchObject({ events: 0, ended: false });
});

test("any other status is wrong", () => {
  expect(count([Buffer.from("HTTP/1.1 503 Service Unavailable\r\n\r\n")]).wrong).toBe(true);
});

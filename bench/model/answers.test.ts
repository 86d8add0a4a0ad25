// Answers out of a stream of bytes: one after the other, however the bytes are cut.
import { expect, test } from "@jest/globals";
import { AnswerReader } from "./answers.ts";

const answer = (status: number, body: string): string =>
  `HTTP/1.1 ${status} X\r\ndate: today\r\nContent-Length: ${body.length}\r\nx-a: b\r\n\r\n${body}`;

test("each answer ends once, with its own status, wherever the bytes are cut", () => {
  const bytes = Buffer.from(answer(200, "hello") + answer(503, "") + answer(504, "x".repeat(300)));
  const ends = [answer(200, "hello").length, answer(503, "").length];
  for (let size = 1; size < 120; size++) {
    const reader = new AnswerReader();
    const seen: number[] = [];
    // A caller that sends one request at a time never gets the end of one answer and the next one in one chunk.
    for (let at = 0; at < bytes.length; ) {
      const boundary = [ends[0] ?? 0, (ends[0] ?? 0) + (ends[1] ?? 0), bytes.length].find((end) => end > at) ?? bytes.length;
      const end = Math.min(at + size, boundary);
      const status = reader.take(bytes.subarray(at, end));
      if (status !== 0) seen.push(status);
      at = end;
    }
    expect(seen).toEqual([200, 503, 504]);
  }
});

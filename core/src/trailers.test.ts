// Which fields may stand behind a body.
import { expect, test } from "@jest/globals";
import { trailerProblem } from "./trailers.ts";

test.each([
  ["server-timing", "db;dur=53"],
  ["x-checksum", ""],
  ["grpc-status", "0"],
  ["digest", "sha-256=\xe9\t="],
])("%s may be a trailer", (name, value) => {
  expect(trailerProblem(name, value)).toBeNull();
});

test.each([
  ["content-length", "1", "before the body"],
  ["transfer-encoding", "chunked", "before the body"],
  ["http2-settings", "AAMAAABk", "before the body"],
  ["set-cookie", "a=1", "before the body"],
  ["content-type", "text/css", "before the body"],
  ["x-headgate-shard-key", "a", "before the body"],
  ["", "a", "name"],
  ["a b", "a", "name"],
  ["Upper", "a", "name"],
  ["a", "x\r\nb: c", "value"],
  ["a", "x\0", "value"],
  ["a", "Ā", "value"],
])("%s: %j may not", (name, value, why) => {
  expect(trailerProblem(name, value)).toContain(why);
});

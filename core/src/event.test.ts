// Server-sent events as text, read back as a browser reads them.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { encodeEvent, type ServerSentEvent } from "./event.ts";

test.each<[string, ServerSentEvent | string, string]>([
  ["a string", "hello", "data: hello\n\n"],
  ["an empty string", "", "data: \n\n"],
  ["several lines, whatever ends them", { data: "a\nb\r\nc\rd" }, "data: a\ndata: b\ndata: c\ndata: d\n\n"],
  ["data that is no string", { data: { a: [1, "x\ny"] } }, 'data: {"a":[1,"x\\ny"]}\n\n'],
  ["all fields", { event: "token", id: "7", retryMs: 3000, data: "x" }, "event: token\nid: 7\nretry: 3000\ndata: x\n\n"],
  ["an id alone", { id: "" }, "id: \n\n"],
  ["a comment", { comment: "still here\nand there" }, ": still here\n: and there\n\n"],
  ["a line that begins with a space", { data: " x" }, "data:  x\n\n"],
])("%s", (_name, event, text) => {
  expect(encodeEvent(event)).toBe(text);
});

test.each<[string, unknown, string]>([
  ["no field", {}, "neither data"],
  ["a number", 7, "neither an object nor a string"],
  ["null", null, "neither an object nor a string"],
  ["a line end in the type", { event: "a\nb" }, "line end in its event"],
  ["a line end in the id", { id: "a\rb" }, "line end in its id"],
  ["a NUL in the id", { id: "a\0" }, "NUL"],
  ["a retryMs that is no whole number", { retryMs: 1.5 }, "retryMs"],
  ["data without a JSON form", { data: () => 1 }, "a function"],
])("%s is refused", (_name, event, why) => {
  // As a caller in JavaScript would, whom no compiler tells.
  expect(() => encodeEvent(event as ServerSentEvent)).toThrow(
    expect.objectContaining({ code: "handler_result_invalid", message: expect.stringContaining(why) }),
  );
});

/** What a browser makes of a stream: data and type of each event. */
function parse(text: string): { data: string; event: string }[] {
  const events: { data: string; event: string }[] = [];
  let data: string[] = [];
  let event = "";
  for (const line of text.split("\n")) {
    if (line === "") {
      if (data.length > 0) events.push({ data: data.join("\n"), event });
      data = [];
      event = "";
      continue;
    }
    const colon = line.indexOf(":");
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.slice(0, colon) === "data") data.push(value);
    if (line.slice(0, colon) === "event") event = value;
  }
  return events;
}

test("any data comes back as it was, line ends as \\n", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", " ", ":", "\n", "\r", "é", "\0") }), { maxLength: 5 }), (pieces) => {
      const text = pieces.map((data) => encodeEvent({ data, event: "e" })).join("");
      expect(parse(text)).toEqual(pieces.map((data) => ({ data: data.replaceAll(/\r\n|\r/g, "\n"), event: "e" })));
    }),
  );
});

// Server-sent events as text (HTML standard, section 9.2). Pure; how they become a streamed answer stands in cli/src/event-stream.ts.

import { HeadgateError, fault } from "./faults.ts";

/** One event. At least one of its fields is set. */
export interface ServerSentEvent {
  /** A string goes line by line, anything else as JSON. */
  readonly data?: unknown;
  /** Type of the event, which listeners name; without it: "message". */
  readonly event?: string;
  /** What a client that connects again sends as `Last-Event-ID`. */
  readonly id?: string;
  /** How long a client waits before it connects again, in milliseconds. */
  readonly retryMs?: number;
  /** A line that clients ignore. */
  readonly comment?: string;
}

const LINE_END = /\r\n|\r|\n/;

/** An event as text; a string is an event of that data. Throws handler_result_invalid where it cannot be one. */
export function encodeEvent(event: ServerSentEvent | string): string {
  if (typeof event === "string") return `${lines("data", event)}\n`;
  if (typeof event !== "object" || event === null) throw invalid("is neither an object nor a string");
  let text = "";
  if (event.comment !== undefined) text += lines("", event.comment);
  if (event.event !== undefined) text += oneLine("event", event.event);
  if (event.id !== undefined) {
    // A client ignores an id with a NUL in it.
    if (event.id.includes("\0")) throw invalid("has a NUL in its id");
    text += oneLine("id", event.id);
  }
  if (event.retryMs !== undefined) {
    if (!Number.isInteger(event.retryMs) || event.retryMs < 0) throw invalid("has a retryMs that is not a whole number of milliseconds");
    text += `retry: ${event.retryMs}\n`;
  }
  if (event.data !== undefined) text += lines("data", typeof event.data === "string" ? event.data : toJson(event.data));
  if (text === "") throw invalid("has neither data, event, id, retryMs nor comment");
  return `${text}\n`;
}

function lines(field: string, text: string): string {
  if (!LINE_END.test(text)) return `${field}: ${text}\n`;
  return text
    .split(LINE_END)
    .map((line) => `${field}: ${line}\n`)
    .join("");
}

function oneLine(field: string, text: string): string {
  if (LINE_END.test(text)) throw invalid(`has a line end in its ${field}`);
  return `${field}: ${text}\n`;
}

function toJson(data: unknown): string {
  const text: string | undefined = JSON.stringify(data);
  if (text === undefined) throw invalid(`has data without a JSON form, a ${typeof data}`);
  return text;
}

function invalid(what: string): HeadgateError {
  return new HeadgateError(fault("handler_result_invalid", `an event of the stream ${what}`));
}

// The items of a handler's stream, out of the bytes of its answer. Lines of JSON come one for one; text and bytes in pieces of the
// way's own making, as nothing on the way keeps the handler's.

import { HeadgateError, fault } from "@headgate/core";
import type { AnswerBody } from "./answer-body.ts";
import { callFailure } from "./call-failure.ts";
import { type ItemKind, itemKind } from "./model/result-value.ts";

/** Items as they come. Whoever leaves the loop cancels the call. */
export function itemsOf(body: AnswerBody, type: string): AsyncIterableIterator<unknown, undefined> {
  const items = read(body, itemKind(type));
  const iterator: AsyncIterableIterator<unknown, undefined> = {
    next: () => items.next(),
    // A generator that was never asked does not notice that it is given up.
    return: async () => {
      body.cancel();
      await items.return(undefined);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

async function* read(body: AnswerBody, kind: ItemKind): AsyncGenerator<unknown, undefined> {
  const decoder = kind === "bytes" ? null : new TextDecoder("utf-8", { ignoreBOM: true });
  let line = "";
  for (let piece = await body.next(); piece !== null; piece = await body.next()) {
    if (decoder === null) {
      yield piece;
      continue;
    }
    const text = decoder.decode(piece, { stream: true });
    if (kind === "text") {
      if (text !== "") yield text;
      continue;
    }
    // A long line is put together once, when its end is there.
    const [first = "", ...more] = text.split("\n");
    line += first;
    for (const next of more) {
      yield parse(line, body);
      line = next;
    }
  }
  const rest = `${line}${decoder?.decode() ?? ""}`;
  if (rest !== "") yield kind === "json" ? parse(rest, body) : rest;
  return undefined;
}

function parse(line: string, body: AnswerBody): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    body.cancel();
    throw callFailure(new HeadgateError(fault("replica_protocol", "a line of the answer is no JSON"), { cause }));
  }
}

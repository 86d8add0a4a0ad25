// Fields behind a body, in either direction: those that may stand there, and how many there may be. Pure.

import { type Fault, LIMITS, trailerProblem } from "@headgate/core";
import { headerTooLarge, tooManyFields } from "./request.ts";

/** The fields that may stand behind a body: names in lower case and values in turn. Others are left out, as RFC 9110, section 6.5.1, asks for. */
export function trailerFields(raw: readonly string[]): readonly string[] {
  const fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? "").toLowerCase();
    const value = raw[i + 1] ?? "";
    // An underscore could be read as a dash, and make another field of it.
    if (trailerProblem(name, value) === null && trailerProblem(name.replaceAll("_", "-"), value) === null) fields.push(name, value);
  }
  return fields;
}

/** What is wrong with fields behind a request's body, given those before it; null: nothing. */
export function trailersProblem(head: readonly string[], trailers: readonly string[]): Fault | null {
  if ((head.length + trailers.length) / 2 > LIMITS.headerFields) return tooManyFields();
  return lengthOf(head) + lengthOf(trailers) > LIMITS.headerBytes ? headerTooLarge() : null;
}

const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0);

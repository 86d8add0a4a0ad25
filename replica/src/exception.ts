// Errors of the user's code, described for the operator: name, message, file and line. Callers never see any of it.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Exception } from "@headgate/proto/fault";

const LOCATION = /((?:file:\/\/)?(?:\/|[A-Za-z]:\\|inline:)[^\s():]*):(\d+)/;
/** Frames that are not the user's: the runtime, packages, and this room. */
const FOREIGN = /\bnode:|[\\/]node_modules[\\/]/;
const OWN_DIRECTORY = fileURLToPath(new URL(".", import.meta.url));

/**
 * Describes anything thrown. `root` makes file names relative to it. `code` is the fault that the exception counts as;
 * empty: the one of the moment (constructor_failed, handler_error).
 */
export function describeException(thrown: unknown, root: string, code = ""): Exception {
  if (!(thrown instanceof Error)) {
    return { name: typeof thrown, message: preview(thrown), file: "", line: 0, stack: "", code };
  }
  const stack = textOf(thrown, "stack");
  const place = locate(stack, root);
  return {
    name: textOf(thrown, "name").slice(0, 256),
    message: textOf(thrown, "message").slice(0, 4096),
    file: place.file,
    line: place.line,
    stack: stack.slice(0, 16_384),
    code,
  };
}

/** A property of an error as text: a library may have put anything there. */
function textOf(thrown: Error, property: "name" | "message" | "stack"): string {
  try {
    const value: unknown = thrown[property];
    return typeof value === "string" ? value : preview(value ?? "");
  } catch {
    return "";
  }
}

function preview(value: unknown): string {
  try {
    return String(value).slice(0, 4096);
  } catch {
    return "a value that cannot be shown";
  }
}

/** The first place of a stack that lies in the user's own code. */
function locate(stack: string, root: string): { file: string; line: number } {
  for (const line of stack.split("\n")) {
    if (FOREIGN.test(line)) continue;
    const found = LOCATION.exec(line);
    if (found === null) continue;
    const [, place = "", number = "0"] = found;
    const file = place.startsWith("file:") ? fileURLToPath(place) : place;
    if (file.startsWith(OWN_DIRECTORY)) continue;
    return { file: shorten(file, root), line: Number(number) };
  }
  return { file: "", line: 0 };
}

function shorten(file: string, root: string): string {
  const inside = relative(root, file);
  return root !== "" && !inside.startsWith("..") && file.startsWith("/") ? inside : file;
}

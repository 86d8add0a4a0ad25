// What `headgate dev` shows of the logs: what the handlers write, and in one line what they throw. The platform's own
// records stay in `headgate logs`. Pure.

/** A line as it is shown; null: it is not. */
export function devLine(source: string, line: string): string | null {
  if (source === "controller" || source.startsWith("bridge-")) return null;
  const backend = source.replace(/-[0-9a-z]+$/, "");
  const record = platformRecord(source, line);
  if (record === null) return `${backend} | ${line}`;
  const exception: unknown = record.exception;
  // A handler that cannot be started is told by the reload that tried it.
  if (typeof exception !== "object" || exception === null || record.requestId === "") return null;
  const { name, message, file, line: at } = exception as Record<string, unknown>; // any object's own fields
  const place = typeof file === "string" && file !== "" ? ` (${file}:${String(at)})` : "";
  return `${backend} | threw ${String(name)}: ${String(message)}${place}`;
}

/** A record that the replica's platform wrote, told by its naming the replica; null: the handler wrote it. */
function platformRecord(source: string, line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{"level":')) return null;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Reflect.get(value, "replica") !== source) return null;
    return { ...value };
  } catch {
    return null;
  }
}

// What replicas and bridges wrote, out of their log files: the last lines, and new ones as they come. Files that have grown
// too large are cut.

import { copyFileSync, readdirSync, statSync, truncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HeadgateError, LIMITS, fault } from "@headgate/core";
import type { StreamLogsResponse } from "@headgate/proto/controller";

const FOLLOW_MS = 200;
const READ_BYTES = 64 * 1024;
/** How much of a file's end is looked at for its last lines. */
const TAIL_BYTES = 4 * 1024 * 1024;

/** Ids that have a log and belong to a source: the id itself, or a backend's replicas; empty: all. */
function sourcesOf(logDir: string, source: string): string[] {
  const ids = readdirSync(logDir)
    .filter((name) => name.endsWith(".log"))
    .map((name) => name.slice(0, -4));
  if (source === "") return ids.filter((id) => !id.startsWith("spare-")).sort();
  return ids.filter((id) => id === source || (id.startsWith(`${source}-`) && /^[0-9a-f]{8}$/.test(id.slice(source.length + 1)))).sort();
}

/** Streams lines. Throws source_not_found where there is no such log and never was. */
export async function* streamLogs(
  logDir: string,
  request: { readonly source: string; readonly follow: boolean; readonly tailLines: number },
  known: boolean,
  signal: AbortSignal,
): AsyncGenerator<StreamLogsResponse, void, undefined> {
  const offsets = new Map<string, number>();
  const rests = new Map<string, string>();
  let first = true;
  while (!signal.aborted) {
    const ids = sourcesOf(logDir, request.source);
    if (first && ids.length === 0 && !known) {
      throw new HeadgateError(
        fault("source_not_found", `nothing called "${request.source}" has written a log; headgate status shows what there is`, {
          source: request.source,
        }),
      );
    }
    for (const id of ids) {
      const file = join(logDir, `${id}.log`);
      if (first) {
        const { size } = statSync(file);
        for (const line of await lastLines(file, size, request.tailLines)) yield { source: id, line: line.slice(0, LIMITS.logLineBytes) };
        offsets.set(id, size);
      } else yield* newLines(id, file, offsets, rests);
    }
    first = false;
    if (!request.follow) return;
    await sleep(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function lastLines(file: string, size: number, count: number): Promise<string[]> {
  if (count === 0 || size === 0) return [];
  const handle = await open(file, "r");
  try {
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const lines = buffer.toString("utf8", 0, bytesRead).split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.slice(-count);
  } finally {
    await handle.close();
  }
}

async function* newLines(
  id: string,
  file: string,
  offsets: Map<string, number>,
  rests: Map<string, string>,
): AsyncGenerator<StreamLogsResponse, void, undefined> {
  const { size } = statSync(file);
  let at = offsets.get(id) ?? 0;
  // It was cut meanwhile.
  if (size < at) at = 0;
  const handle = await open(file, "r");
  try {
    while (at < size) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      const lines = ((rests.get(id) ?? "") + buffer.toString("utf8", 0, bytesRead)).split("\n");
      rests.set(id, (lines.pop() ?? "").slice(0, LIMITS.logLineBytes));
      for (const line of lines) yield { source: id, line: line.slice(0, LIMITS.logLineBytes) };
    }
  } finally {
    offsets.set(id, at);
    await handle.close();
  }
}

/** Cuts logs that have grown beyond the limit; what they held stays in a file beside them. */
export function cutLogs(logDir: string): void {
  for (const name of readdirSync(logDir)) {
    const file = join(logDir, name);
    if (!name.endsWith(".log") || statSync(file).size <= LIMITS.logFileBytes) continue;
    copyFileSync(file, `${file}.1`);
    truncateSync(file, 0);
  }
}

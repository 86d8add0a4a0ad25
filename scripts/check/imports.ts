// The import rule of ARCHITECTURE.md: a room imports only lower rooms, and only what their package.json exports.
// Pure: files and manifests come in, problems go out. That dependencies are declared is knip's affair.
import { posix } from "node:path";
import { type ModuleUse, type Problem, type SourceFile, lineOf, parse } from "./source.ts";

/** Layer of each room. The four of layer 4 never import each other. */
const LAYERS: ReadonlyMap<string, number> = new Map([
  ["proto", 0],
  ["core", 1],
  ["rpc", 2],
  ["client", 3],
  ["controller", 4],
  ["replica", 4],
  ["http-bridge", 4],
  ["cli", 4],
]);

/** What a room's package.json says of its name and its exports. */
export interface RoomManifest {
  readonly room: string;
  readonly name: string;
  /** Keys of "exports": ".", "./wire", "./*". */
  readonly exports: readonly string[];
}

/** Everything that breaks the import rule. */
export function importProblems(files: readonly SourceFile[], manifests: readonly RoomManifest[]): Problem[] {
  const problems: Problem[] = [];
  const graph = new Map<string, { readonly to: string; readonly line: number }[]>();
  for (const file of files) {
    const edges: { readonly to: string; readonly line: number }[] = [];
    graph.set(file.path, edges);
    for (const use of parse(file).modules) {
      const line = lineOf(file.text, use.start);
      const message = problemOf(file.path, use, manifests);
      if (message !== null) problems.push({ path: file.path, line, message });
      // An import of types alone is gone at run time, so it closes no cycle.
      if (use.specifier.startsWith(".") && !use.typesOnly) edges.push({ to: resolveFrom(file.path, use.specifier), line });
    }
  }
  return [...problems, ...cycles(graph)];
}

const resolveFrom = (path: string, specifier: string): string => posix.join(posix.dirname(path), specifier);

/** The room of a path; null: outside of all rooms (test, examples, bench, scripts). */
function roomOf(path: string): string | null {
  const [folder = ""] = path.split("/");
  return LAYERS.has(folder) ? folder : null;
}

function problemOf(path: string, use: ModuleUse, manifests: readonly RoomManifest[]): string | null {
  const from = roomOf(path);
  if (use.specifier.startsWith(".")) {
    const to = roomOf(resolveFrom(path, use.specifier));
    return to === from || to === null ? null : `"${use.specifier}" reaches into ${to}/: import what its package.json exports`;
  }
  const manifest = manifests.find(({ name }) => use.specifier === name || use.specifier.startsWith(`${name}/`));
  if (manifest === undefined) return null;
  if (!isExported(manifest, use.specifier)) return `"${use.specifier}" is not among the exports of ${manifest.room}/package.json`;
  if (from === null) return null;
  // A test may come in by the front door, as a user of the room does.
  if (from === manifest.room) return path.endsWith(".test.ts") ? null : `"${use.specifier}" is this room itself: import the file`;
  const [low, high] = [LAYERS.get(manifest.room) ?? 0, LAYERS.get(from) ?? 0];
  return low < high ? null : `${from} (layer ${high}) cannot import ${manifest.room} (layer ${low}): only lower layers`;
}

function isExported(manifest: RoomManifest, specifier: string): boolean {
  const wanted = `.${specifier.slice(manifest.name.length)}`;
  return manifest.exports.some((key) => {
    if (!key.includes("*")) return key === wanted;
    const [before = "", after = ""] = key.split("*");
    return wanted.startsWith(before) && wanted.endsWith(after) && wanted.length > before.length + after.length;
  });
}

/** One problem for each cycle, at the import that closes it. */
function cycles(graph: ReadonlyMap<string, readonly { readonly to: string; readonly line: number }[]>): Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string): void => {
    way.push(path);
    for (const { to, line } of graph.get(path) ?? []) {
      const at = way.indexOf(to);
      if (at >= 0) problems.push({ path, line, message: `import cycle: ${[...way.slice(at), to].join(" → ")}` });
      else if (!done.has(to)) visit(to);
    }
    way.pop();
    done.add(path);
  };
  for (const path of graph.keys()) if (!done.has(path)) visit(path);
  return problems;
}

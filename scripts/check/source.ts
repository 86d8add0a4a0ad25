// What the checkers read: the TypeScript files that git knows or would take, each with its syntax tree.
// No rules here; they stand in imports.ts and purity.ts.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";

/** A source file, its path relative to the repository with "/" between folders. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** A node of a syntax tree, as ESTree with TypeScript's own. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

/** What one file breaks, for one line of output. */
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** One module that a file names. */
export interface ModuleUse {
  readonly specifier: string;
  readonly start: number;
  /** Whether nothing of it is left when types are stripped. */
  readonly typesOnly: boolean;
}

/** All .ts files of the checkout that are not ignored; generated code stays out. */
export function readSources(root: string): SourceFile[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "*.ts"], {
    cwd: root,
    encoding: "utf8",
  });
  const files: SourceFile[] = [];
  for (const path of new Set(listed.split("\0"))) {
    if (path === "" || path.startsWith("proto/gen/")) continue;
    try {
      files.push({ path, text: readFileSync(join(root, path), "utf8") });
    } catch (error) {
      // Deleted in the checkout, still in the index.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return files;
}

/** Parses a file; throws where it is no TypeScript. */
export function parse(file: SourceFile): { readonly program: Node; readonly modules: readonly ModuleUse[] } {
  const { program, module, errors } = parseSync(file.path, file.text);
  const [first] = errors;
  if (first !== undefined) throw new Error(`${file.path} cannot be parsed: ${first.message}`);
  const modules: ModuleUse[] = module.staticImports.map((use) => ({
    specifier: use.moduleRequest.value,
    start: use.start,
    typesOnly: use.entries.length > 0 && use.entries.every((entry) => entry.isType),
  }));
  for (const { entries } of module.staticExports) {
    for (const entry of entries) {
      if (entry.moduleRequest !== null) modules.push({ specifier: entry.moduleRequest.value, start: entry.start, typesOnly: entry.isType });
    }
  }
  // The parser's own type of the tree is a union of some 200 members; the checkers walk it by field names instead.
  const tree = program as unknown as Node;
  walk(tree, (node) => {
    if (node.type !== "ImportExpression" && node.type !== "TSImportType") return;
    const { source } = node as Node & { readonly source?: { readonly value?: unknown } };
    if (typeof source?.value !== "string") return;
    modules.push({ specifier: source.value, start: node.start, typesOnly: node.type === "TSImportType" });
  });
  return { program: tree, modules };
}

/** Calls `visit` for every node, parents first, with the parent and the field of it in which the node stands. */
export function walk(node: Node, visit: (node: Node, parent: Node | null, field: string) => void): void {
  const step = (current: Node, parent: Node | null, field: string): void => {
    visit(current, parent, field);
    for (const [name, value] of Object.entries(current)) {
      for (const child of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
        if (isNode(child)) step(child, current, name);
      }
    }
  };
  step(node, null, "");
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** The line of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

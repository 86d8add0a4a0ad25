// The purity rule of ARCHITECTURE.md: core/ and every src/model/ are plain functions of their arguments. No Node, no clock,
// no chance, nothing asynchronous, no shell of the same room. Tests beside them are free.
import { posix } from "node:path";
import { type Node, type Problem, type SourceFile, lineOf, parse, walk } from "./source.ts";

/** Globals that reach time, chance, the process, the network, or later turns of the event loop. */
const FORBIDDEN_GLOBALS = new Set([
  "Promise",
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "console",
  "crypto",
  "fetch",
  "globalThis",
  "performance",
  "process",
  "queueMicrotask",
  "require",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

/** Members of allowed globals that reach time or chance. */
const FORBIDDEN_MEMBERS = new Set(["Date.now", "Math.random"]);

/** Whether the rule holds for a file. */
export function mustBePure(path: string): boolean {
  return !path.endsWith(".test.ts") && (path.startsWith("core/src/") || /^[^/]+\/src\/model\//.test(path));
}

/** Everything in a file that is not pure. */
export function purityProblems(file: SourceFile): Problem[] {
  const problems: Problem[] = [];
  const { program, modules } = parse(file);
  const found = (start: number, message: string): void => {
    problems.push({ path: file.path, line: lineOf(file.text, start), message });
  };
  for (const { specifier, start, typesOnly } of modules) {
    if (specifier.startsWith("node:")) found(start, `pure code cannot import "${specifier}"`);
    else if (specifier.startsWith(".") && !typesOnly && leavesPureCode(file.path, specifier)) {
      found(start, `pure code cannot import the shell "${specifier}", but for types`);
    }
  }
  walk(program, (node, parent, field) => {
    const message = impurity(node, parent, field);
    if (message !== null) found(node.start, message);
  });
  return problems;
}

function leavesPureCode(path: string, specifier: string): boolean {
  return !mustBePure(posix.join(posix.dirname(path), specifier));
}

function impurity(node: Node, parent: Node | null, field: string): string | null {
  if (node.async === true) return "pure code cannot be async";
  switch (node.type) {
    case "AwaitExpression":
      return "pure code cannot await";
    case "ForOfStatement":
      return node.await === true ? "pure code cannot await" : null;
    case "ImportExpression":
      return "pure code cannot import at run time";
    case "NewExpression":
    case "CallExpression": {
      // `new Date(ms)` is arithmetic; without arguments, or called as a function, Date reads the clock.
      const readsClock = node.type === "CallExpression" || (Array.isArray(node.arguments) && node.arguments.length === 0);
      return nameOf(node.callee) === "Date" && readsClock ? "pure code cannot read the clock: take the time as an argument" : null;
    }
    case "MemberExpression": {
      const name = `${nameOf(node.object)}.${memberOf(node)}`;
      return FORBIDDEN_MEMBERS.has(name) ? `pure code cannot use ${name}: take time and chance as arguments` : null;
    }
    case "Identifier":
      return typeof node.name === "string" && FORBIDDEN_GLOBALS.has(node.name) && isReference(parent, field)
        ? `pure code cannot use ${node.name}`
        : null;
    default:
      return null;
  }
}

/** Name of an identifier; empty for anything else. */
function nameOf(node: unknown): string {
  if (typeof node !== "object" || node === null || !("type" in node) || node.type !== "Identifier") return "";
  return "name" in node && typeof node.name === "string" ? node.name : "";
}

/** Name of the member that an expression takes: `a.b` and `a["b"]`. */
function memberOf(node: Node): string {
  if (node.computed !== true) return nameOf(node.property);
  const { property } = node as Node & { readonly property?: { readonly value?: unknown } };
  return typeof property?.value === "string" ? property.value : "";
}

/** Whether an identifier names a variable or type, not a member or key. */
function isReference(parent: Node | null, field: string): boolean {
  if (parent === null) return true;
  // A type says what a caller may hand in, and is gone at run time.
  if (parent.type === "TSTypeReference") return false;
  if (parent.type === "MemberExpression" && field === "property") return parent.computed === true;
  if (field === "key") return parent.computed === true;
  if (parent.type === "TSQualifiedName" && field === "right") return false;
  return !(parent.type.startsWith("Import") || parent.type.startsWith("Export") || parent.type === "LabeledStatement");
}

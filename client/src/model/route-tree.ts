// Path to value: static paths by one look-up, patterns by a tree of segments. Pure; built once a table, then only read.
// Precedence at each segment: literal before parameter before wildcard, with the longest match winning by going back.

import type { Route } from "@headgate/core";

/** A match: the value, and its parameters as names and values in turn. */
export interface RouteMatch<T> {
  readonly value: T;
  readonly params: readonly string[];
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  param: Node<T> | null;
  wildcard: Leaf<T> | null;
  leaf: Leaf<T> | null;
}

interface Leaf<T> {
  readonly value: T;
  readonly names: readonly string[];
}

const newNode = <T>(): Node<T> => ({ literals: new Map(), param: null, wildcard: null, leaf: null });
const NO_PARAMS: readonly string[] = Object.freeze([]);

/** An immutable look-up of paths. */
export interface RouteTree<T> {
  /** Matches a path without its query; null: none. A path whose percent-encoding is broken matches no pattern. */
  match(path: string): RouteMatch<T> | null;
}

/** Builds the look-up. Routes must differ in shape. */
export function buildRouteTree<T>(routes: Iterable<readonly [Route, T]>): RouteTree<T> {
  const exact = new Map<string, RouteMatch<T>>();
  const root = newNode<T>();
  let patterns = false;
  for (const [route, value] of routes) {
    if (route.segments.every((segment) => segment.kind === "literal")) {
      exact.set(route.pattern, { value, params: NO_PARAMS });
    }
    insert(root, route, value);
    patterns ||= route.shape.includes(":") || route.shape.includes("*");
  }
  return {
    match(path) {
      const normal = path.length > 2 && path.charCodeAt(path.length - 1) === 0x2f ? path.slice(0, -1) : path;
      const found = exact.get(normal);
      if (found !== undefined) return found;
      if (!patterns) return null;
      const values: string[] = [];
      const parts = normal === "/" ? [] : normal.slice(1).split("/");
      const leaf = walk(root, parts, 0, values);
      return leaf === null ? null : bind(leaf, values);
    },
  };
}

function insert<T>(root: Node<T>, route: Route, value: T): void {
  let node = root;
  const names: string[] = [];
  for (const segment of route.segments) {
    if (segment.kind === "wildcard") {
      node.wildcard = { value, names: [...names, "*"] };
      return;
    }
    if (segment.kind === "param") {
      names.push(segment.name);
      node = node.param ??= newNode<T>();
    } else {
      let next = node.literals.get(segment.text);
      if (next === undefined) {
        next = newNode<T>();
        node.literals.set(segment.text, next);
      }
      node = next;
    }
  }
  node.leaf = { value, names };
}

function walk<T>(node: Node<T>, parts: readonly string[], index: number, values: string[]): Leaf<T> | null {
  const part = parts[index];
  if (part === undefined) {
    if (node.leaf !== null) return node.leaf;
    if (node.wildcard !== null) values.push("");
    return node.wildcard;
  }
  const literal = node.literals.get(part);
  if (literal !== undefined) {
    const found = walk(literal, parts, index + 1, values);
    if (found !== null) return found;
  }
  if (node.param !== null && part !== "") {
    const depth = values.length;
    values.push(part);
    const found = walk(node.param, parts, index + 1, values);
    if (found !== null) return found;
    values.length = depth;
  }
  if (node.wildcard !== null) values.push(parts.slice(index).join("/"));
  return node.wildcard;
}

function bind<T>(leaf: Leaf<T>, values: readonly string[]): RouteMatch<T> | null {
  const params: string[] = [];
  for (const [index, name] of leaf.names.entries()) {
    const raw = values[index] ?? "";
    let decoded = raw;
    if (raw.includes("%")) {
      try {
        decoded = decodeURIComponent(raw);
      } catch {
        return null;
      }
    }
    params.push(name, decoded);
  }
  return { value: leaf.value, params };
}

// Which pattern a path leads to: precedence, going back, parameters and percent-encoding.
import { expect, test } from "@jest/globals";
import { parseRoute } from "@headgate/core";
import fc from "fast-check";
import { type RouteTree, buildRouteTree } from "./route-tree.ts";

/** A tree whose values are its patterns. */
function treeOf(...patterns: string[]): RouteTree<string> {
  return buildRouteTree(
    patterns.map((pattern) => {
      const route = parseRoute(pattern);
      if (!route.ok) throw new Error(route.error.message);
      return [route.value, pattern] as const;
    }),
  );
}

const found = (tree: RouteTree<string>, path: string): readonly [string, ...string[]] | null => {
  const match = tree.match(path);
  return match === null ? null : [match.value, ...match.params];
};

test.each([
  // Each row: patterns, path, and what is found: the pattern and its parameters in turn.
  [["/"], "/", ["/"]],
  [["/"], "/a", null],
  [["/"], "//", null],
  [["/a"], "/a//", null],
  [["/simple"], "/simple", ["/simple"]],
  [["/simple"], "/simple/", ["/simple"]],
  [["/simple/"], "/simple", ["/simple/"]],
  [["/simple"], "/simple/more", null],
  [["/simple"], "/Simple", null],
  [["/simple"], "/simpl", null],
  [["/a/:id", "/a/b"], "/a/b", ["/a/b"]],
  [["/a/:id", "/a/b"], "/a/c", ["/a/:id", "id", "c"]],
  [["/a/:id", "/a/*"], "/a/c", ["/a/:id", "id", "c"]],
  [["/a/:id", "/a/*"], "/a/c/d", ["/a/*", "*", "c/d"]],
  [["/a/b", "/a/*"], "/a/b", ["/a/b"]],
  [["/a/*"], "/a", ["/a/*", "*", ""]],
  [["/a/*"], "/a/", ["/a/*", "*", ""]],
  [["/a", "/a/*"], "/a", ["/a"]],
  [["/*"], "/", ["/*", "*", ""]],
  [["/*"], "/x/y/z", ["/*", "*", "x/y/z"]],
  [["/*", "/a/:x"], "/a/1", ["/a/:x", "x", "1"]],
  // Going back: the literal leads nowhere, so the parameter gets its turn, then the wildcard.
  [["/a/b/c", "/a/:x/d"], "/a/b/d", ["/a/:x/d", "x", "b"]],
  [["/a/b/c", "/:p/b/d"], "/a/b/d", ["/:p/b/d", "p", "a"]],
  [["/:a/:b/c", "/:a/*"], "/1/2/3", ["/:a/*", "a", "1", "*", "2/3"]],
  [["/:a/x/:b", "/*"], "/1/x/2", ["/:a/x/:b", "a", "1", "b", "2"]],
  [["/:a/x/:b", "/*"], "/1/y/2", ["/*", "*", "1/y/2"]],
  [["/a/:x/c/*", "/a/*"], "/a/1/d", ["/a/*", "*", "1/d"]],
  [["/:one/b", "/:two/c"], "/v/c", ["/:two/c", "two", "v"]],
  // A parameter stands for one segment that is not empty.
  [["/a/:id"], "/a/", null],
  [["/a/:id/b"], "/a//b", null],
  [["/a/:id"], "/a/b/c", null],
  // Percent-encoding: decoded in parameters, never in what decides.
  [["/a/:id"], "/a/caf%C3%A9", ["/a/:id", "id", "café"]],
  [["/a/:id"], "/a/x%2Fy", ["/a/:id", "id", "x/y"]],
  [["/a/:id"], "/a/%25", ["/a/:id", "id", "%"]],
  [["/a/:id"], "/a/%zz", null],
  [["/a/:id"], "/a/%C3", null],
  [["/a/*"], "/a/b%20c/d", ["/a/*", "*", "b c/d"]],
  [["/simple"], "/s%69mple", null],
  // Names that are special to JavaScript are names like any other.
  [["/:__proto__"], "/constructor", ["/:__proto__", "__proto__", "constructor"]],
  [["/a"], "/__proto__", null],
  [["/a"], "/constructor", null],
] as const)("of %j the path %s leads to %j", (patterns, path, wanted) => {
  expect(found(treeOf(...patterns), path)).toEqual(wanted);
});

test("no routes: nothing is found", () => {
  expect(treeOf().match("/")).toBeNull();
});

test("the order in which routes are given decides nothing", () => {
  const patterns = ["/", "/*", "/a", "/a/:x", "/a/*", "/a/b", "/:p/b", "/:p/:q/c", "/a/:x/c/*"];
  const segment = fc.constantFrom("a", "b", "c", "z", "");
  fc.assert(
    fc.property(fc.shuffledSubarray(patterns, { minLength: 1 }), fc.array(segment, { maxLength: 5 }), (some, parts) => {
      const path = `/${parts.join("/")}`;
      expect(found(treeOf(...some), path)).toEqual(found(treeOf(...[...some].sort()), path));
    }),
    { numRuns: 500 },
  );
});

test("a path without pattern characters matches exactly the route that is spelled like it", () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9\-_~]{0,5}$/);
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
  fc.assert(
    fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 10 }), path, (routes, asked) => {
      expect(found(treeOf(...routes), asked)).toEqual(routes.includes(asked) ? [asked] : null);
    }),
  );
});

test("a long hostile path is answered at once", () => {
  const tree = treeOf("/:a/:b/:c/:d/x", "/:a/b/:c/*", "/a/:b/*");
  expect(found(tree, "/a".repeat(4_000))?.[0]).toBe("/a/:b/*");
});

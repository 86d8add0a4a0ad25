// Where a module handler's file really lies: below the instance's root, whatever links and dots its path has.
// Looked at before anything is started.

import { realpathSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { type Handler, HeadgateError, fault } from "@headgate/core";

/** Throws module_not_found or module_outside_root where a handler's module cannot be used. */
export function checkModule(handler: Handler, root: string): void {
  if (handler.kind !== "module") return;
  const file = resolve(root, handler.path);
  let real: string;
  let realRoot: string;
  try {
    realRoot = realpathSync(root);
    real = realpathSync(file);
  } catch (error) {
    throw new HeadgateError(
      fault("module_not_found", `there is no module ${handler.path}; relative paths start at the instance's root, ${root}`, {
        path: handler.path,
      }),
      {
        cause: error,
      },
    );
  }
  const inside = relative(realRoot, real);
  if (inside === ".." || inside.startsWith(`..${sep}`) || resolve(inside) === inside) {
    throw new HeadgateError(
      fault("module_outside_root", `module ${handler.path} lies outside the instance's root, ${root}`, { path: handler.path }),
    );
  }
}

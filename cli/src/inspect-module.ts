// Which functions and classes a module exports and which files it is made of, found by loading it in a thread of its
// own, so that each look sees the files as they are now and nothing of it stays. What it does is the replica's affair.

import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

/** What a look at a module found. */
export type ModuleLook =
  | { readonly kind: "loaded"; readonly exports: readonly string[]; readonly files: readonly string[] }
  | { readonly kind: "failed"; readonly message: string; readonly files: readonly string[] };

/** How long a module may take to load. */
const LOAD_TIMEOUT_MS = 10_000;

// Runs in the thread. The hook notes every file on the way, those among them that cannot be loaded.
const LOOK = `
const { registerHooks } = require("node:module");
const { parentPort, workerData } = require("node:worker_threads");
const { fileURLToPath } = require("node:url");
const files = new Set();
registerHooks({
  load(url, context, next) {
    if (url.startsWith("file:") && !url.includes("/node_modules/")) files.add(fileURLToPath(url));
    return next(url, context);
  },
});
const where = (error) => {
  const stack = String(error && error.stack || error);
  const line = stack.split("\\n").find((text) => [...files].some((file) => text.includes(file + ":")));
  const place = line && /(?:file:\\/\\/)?(\\/[^():]+):(\\d+)/.exec(line);
  return place ? place[1] + ":" + place[2] + ": " : "";
};
import(workerData).then(
  (module) => parentPort.postMessage({ kind: "loaded", exports: Object.keys(module).filter((name) => typeof module[name] === "function"), files: [...files] }),
  (error) => parentPort.postMessage({ kind: "failed", message: where(error) + (error && error.name ? error.name + ": " + error.message : String(error)), files: [...files] }),
);
`;

/** Looks at a module. Never rejects: a module that cannot be loaded is an answer too. */
export function inspectModule(file: string): Promise<ModuleLook> {
  return new Promise((resolve) => {
    const worker = new Worker(LOOK, { eval: true, workerData: pathToFileURL(file).href, stdout: true, stderr: true });
    const settle = (look: ModuleLook): void => {
      clearTimeout(timer);
      resolve(look);
      void worker.terminate();
    };
    const fail = (message: string): void => settle({ kind: "failed", message, files: [file] });
    const timer = setTimeout(() => fail(`${file} did not load within ${LOAD_TIMEOUT_MS} ms`), LOAD_TIMEOUT_MS);
    worker.once("message", (look: ModuleLook) => settle(look));
    worker.once("error", (error: unknown) => fail(error instanceof Error ? `${error.name}: ${error.message}` : String(error)));
    worker.once("exit", () => fail(`${file} ended its process while it was loaded`));
  });
}

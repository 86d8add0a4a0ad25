// Tells when one of some files changes. Directories are watched, not files: editors put a new file in the old one's place.

import { type FSWatcher, watch } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Files beside those watched that may be what a failed import waits for. */
const CODE = /\.(?:[cm]?[jt]s|json)$/;

/** A watch over a set of files that can be changed. */
export class FileWatcher implements Disposable {
  readonly #onChange: (file: string) => void;
  readonly #dirs = new Map<string, FSWatcher>();
  #files: ReadonlySet<string> = new Set();
  #anyCode = false;

  constructor(onChange: (file: string) => void) {
    this.#onChange = onChange;
  }

  /** Watches these files instead of those before. `anyCode`: any other code file in their directories counts too. */
  set(files: readonly string[], anyCode: boolean): void {
    this.#files = new Set(files);
    this.#anyCode = anyCode;
    const dirs = new Set(files.map((file) => dirname(file)));
    for (const [dir, watcher] of this.#dirs) {
      if (dirs.has(dir)) continue;
      watcher.close();
      this.#dirs.delete(dir);
    }
    for (const dir of dirs) {
      if (this.#dirs.has(dir) || /(?:^|\/)(?:node_modules|\.headgate)(?:\/|$)/.test(dir)) continue;
      const watcher = watch(dir, (_, name) => this.#seen(dir, name));
      // A directory that goes away takes its watch along; the next load says what is missing.
      watcher.on("error", () => this.#dirs.delete(dir));
      this.#dirs.set(dir, watcher);
    }
  }

  #seen(dir: string, name: string | null): void {
    if (name === null) return;
    const file = join(dir, name);
    if (this.#files.has(file) || (this.#anyCode && CODE.test(basename(file)))) this.#onChange(file);
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#dirs.values()) watcher.close();
    this.#dirs.clear();
  }
}

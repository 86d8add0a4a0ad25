import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { FileWatcher } from "./file-watcher.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "headgate-watch-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** The next change that a watch over these files tells after `act`. */
async function nextChange(files: readonly string[], anyCode: boolean, act: () => Promise<void>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  using watcher = new FileWatcher(resolve);
  watcher.set(files, anyCode);
  await act();
  return await promise;
}

test("a file that is written, or replaced as editors do, is told", async () => {
  const file = join(dir, "app.ts");
  await writeFile(file, "1");
  expect(await nextChange([file], false, () => writeFile(file, "2"))).toBe(file);
  await writeFile(join(dir, "new"), "3");
  expect(await nextChange([file], false, () => rename(join(dir, "new"), file))).toBe(file);
});

test("other files of the directory do not count, unless an import may be waiting for them", async () => {
  const [file, other, data] = [join(dir, "app.ts"), join(dir, "other.ts"), join(dir, "data.db")];
  await writeFile(file, "1");
  const touchAll = async (): Promise<void> => {
    await writeFile(data, "1");
    await writeFile(other, "1");
    await writeFile(file, "2");
  };
  expect(await nextChange([file], false, touchAll)).toBe(file);
  expect(await nextChange([file], true, touchAll)).toBe(other);
});

test("a directory that is let go tells nothing more", async () => {
  await mkdir(join(dir, "a"));
  const [inner, outer] = [join(dir, "a", "in.ts"), join(dir, "out.ts")];
  const { promise, resolve } = Promise.withResolvers<string>();
  using watcher = new FileWatcher(resolve);
  watcher.set([inner], false);
  watcher.set([outer], false);
  await writeFile(inner, "1");
  await writeFile(outer, "1");
  expect(await promise).toBe(outer);
});

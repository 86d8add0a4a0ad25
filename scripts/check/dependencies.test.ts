// docs/dependencies.md has every dependency of every package.json in its version, and what is installed is that version.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

interface Manifest {
  readonly version: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
// A package.json has this form by definition; npm refuses others.
const manifest = (path: string): Manifest => JSON.parse(read(path)) as Manifest;

const workspace = manifest("package.json");
const rooms = (workspace.workspaces ?? []).map((room) => manifest(`${room}/package.json`));
const ours = (name: string): boolean => name === "headgate" || name.startsWith("@headgate/");

const named = [workspace, ...rooms].flatMap((from) =>
  [from.dependencies, from.devDependencies, from.optionalDependencies].flatMap((group) => Object.entries(group ?? {})),
);
const foreign = [...new Set(named.filter(([name]) => !ours(name)).map(([name, version]) => `${name} ${version}`))].sort();

test("docs/dependencies.md has every dependency in its version, and no other", () => {
  const rows = [...read("docs/dependencies.md").matchAll(/^\| `([^`]+)` \| (\S+) \|/gm)].map(([, name, version]) => `${name} ${version}`);
  expect(rows.sort()).toEqual(foreign);
});

test("versions are exact, and one a package in the whole house", () => {
  expect(foreign.filter((entry) => !/ \d+\.\d+\.\d+$/.test(entry))).toEqual([]);
  const names = foreign.map((entry) => entry.split(" ")[0]);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test("what is installed is what the manifests name", () => {
  const optional = new Set(Object.keys(workspace.optionalDependencies ?? {}));
  // npm puts a package beside the room that wants it where another version stands at the top already.
  const versionFor = (room: string, name: string): string => {
    const own = `${room}/node_modules/${name}/package.json`;
    return manifest(existsSync(new URL(own, root)) ? own : `node_modules/${name}/package.json`).version;
  };
  const folders = [".", ...(workspace.workspaces ?? [])];
  const wrong = [workspace, ...rooms].flatMap((from, index) =>
    Object.entries({ ...from.dependencies, ...from.devDependencies })
      .filter(([name]) => !ours(name) && !optional.has(name))
      .map(([name, version]) => ({ name, version, installed: versionFor(folders[index] ?? ".", name) }))
      .filter(({ version, installed }) => version !== installed),
  );
  expect(wrong).toEqual([]);
});

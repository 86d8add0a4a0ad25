// Makes everything under proto/gen from proto/**/*.proto: `npm run gen`. With a folder as argument it writes there instead
// (as <folder>/proto/gen), which is how `npm run ok` sees whether the committed code is fresh.
// Runs with the pinned tools on PATH; see scripts/run.mjs.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const into = process.argv[2] ?? root;

function buf(...words) {
  const result = spawnSync("buf", words, { cwd: root, stdio: "inherit", shell: process.platform === "win32" });
  if (result.error !== undefined) process.stderr.write(`buf could not be started: ${result.error.message}\n`);
  if (result.status !== 0) process.exit(1);
}

buf("generate", "-o", into);
// The contracts as data, for gRPC reflection. After generate, which empties the folder.
buf("build", "-o", join(into, "proto/gen/descriptors.binpb"));

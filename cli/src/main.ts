// The command line's wiring: argv, environment, signals and the exit code. `--version` is answered before anything else
// is loaded. What the commands do stands in commands/.

import { createRequire } from "node:module";

/**
 * One Ctrl-C can arrive several times: from the terminal, and passed on by npm. Only a later one means "now, at once";
 * the lifeline then ends what was started.
 */
const SAME_SIGNAL_MS = 500;

/** Runs the command that argv asks for and sets the exit code: 0 done, 1 refused or failed, 2 wrong usage. */
export async function main(): Promise<void> {
  const words = process.argv.slice(2);
  if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
    process.stdout.write(`${version()}\n`);
    return;
  }
  // A reader that has left, such as `head`, is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
  });
  const interrupted = new AbortController();
  let firstMs = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!interrupted.signal.aborted) {
        firstMs = performance.now();
        interrupted.abort(new Error(signal));
      } else if (performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(130);
    });
  }
  const { run } = await import("./program.ts");
  process.exitCode = await run(words, {
    env: process.env,
    cwd: process.cwd(),
    version: version(),
    signal: interrupted.signal,
    out: process.stdout,
    err: process.stderr,
  });
}

function version(): string {
  const { version: text }: { version: string } = createRequire(import.meta.url)("../package.json");
  return text;
}

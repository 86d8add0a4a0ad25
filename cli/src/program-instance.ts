// Commands about the instance itself: start, stop, status, logs, dev.

import type { Command } from "commander";
import type { Rig } from "./program.ts";

const portOptions = (command: Command): Command =>
  command
    .option("--http-host <address>", "address to serve HTTP on (default: 127.0.0.1)")
    .option("--http-port <port>", "port of HTTP, 0 for any free one (default: 8000)")
    .option("--h2c-port <port>", "port of HTTP/2 without TLS (default: not served)")
    .option("--https-port <port>", "port of HTTP/1.1 and HTTP/2 over TLS (default: not served)")
    .option("--tls-cert <file>", "PEM file of the certificate for HTTPS")
    .option("--tls-key <file>", "PEM file of its private key")
    .option("--control-port <port>", "port of the control plane (default: 8001)")
    .option("--admin-port <port>", "port of the admin HTTP (default: 8002)");

/** Adds the commands. */
export function addInstanceCommands(program: Command, { world, globals }: Rig): void {
  portOptions(program.command("start").description("start an instance; Ctrl-C drains and ends it"))
    .option("--bridges <n>", "number of HTTP bridge processes (default: 1)")
    .option("--spares <n>", "replica processes kept ready (default: 0)")
    .option("--root <dir>", "directory at which relative module paths start (default: the current one)")
    .option("-d, --detach", "leave it running and return")
    .option("--example", "with example backends and endpoints")
    .addHelpText("after", "\nExample:\n  headgate start --example")
    .action(async (options) => (await import("./commands/start.ts")).start(world, globals(), options));
  program
    .command("stop")
    .description("drain and end the instance")
    .option("--force", "end replicas and bridges at once")
    .addHelpText("after", "\nExample:\n  headgate stop")
    .action(async (options) => (await import("./commands/stop.ts")).stop(world, globals(), options));
  program
    .command("status")
    .description("controller, bridges, backends, replicas and endpoints")
    .option("-w, --watch", "show it anew each second")
    .addHelpText("after", "\nExample:\n  headgate status --watch")
    .action(async (options) => (await import("./commands/status.ts")).status(world, globals(), options));
  program
    .command("logs [source]")
    .description("what replicas and bridges wrote; SOURCE is a backend, a replica or a bridge")
    .option("-f, --follow", "go on with new lines")
    .option("--tail <n>", "how many of each source's last lines come first", "100")
    .addHelpText("after", "\nExample:\n  headgate logs greeter -f --tail 20")
    .action(async (source: string | undefined, options) => (await import("./commands/logs.ts")).logs(world, globals(), source, options));
  portOptions(program.command("dev <file>").description("serve a module's exports and serve them anew at each save"))
    .addHelpText(
      "after",
      "\nThe default export answers at /, every other exported function or class at /<its name>.\n\nExample:\n  headgate dev ./app.ts",
    )
    .action(async (file: string, options) => (await import("./commands/dev.ts")).dev(world, globals(), file, options));
}

/** Adds the command that prints a shell's completion script, for the list of commands; completion.ts makes the real one. */
export function addCompletionName(program: Command): void {
  program
    .command("completion <shell>")
    .description("print the completion script of a shell: bash, zsh or fish")
    .addHelpText("after", "\nExample:\n  source <(headgate completion bash)");
}

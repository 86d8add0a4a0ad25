// The commands by name, with their arguments, options and an example each. What a command does is loaded when it is
// asked for. Exit code: 0 done, 1 refused or failed, 2 wrong usage.

import { Command, CommanderError, Option } from "commander";
import type { GlobalOptions, World } from "./console.ts";
import { failureLines } from "./failure.ts";
import { addCompletionName, addInstanceCommands } from "./program-instance.ts";
import { addObjectCommands } from "./program-objects.ts";

/** How a command's action is made: its own options, then those of every command. */
export interface Rig {
  readonly world: World;
  readonly globals: () => GlobalOptions;
}

/** Runs one command line and returns its exit code. */
export async function run(words: readonly string[], world: World): Promise<number> {
  const program = buildProgram(world);
  const completing = words[0] === "complete" || (words[0] === "completion" && !words.includes("--help") && !words.includes("-h"));
  if (completing) (await import("./completion.ts")).addCompletion(program);
  else addCompletionName(program);
  try {
    await program.parseAsync(words, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.code === "commander.helpDisplayed" || error.code === "commander.version") return 0;
      return 2;
    }
    if (world.signal.aborted) return 130;
    for (const line of failureLines(error)) world.err.write(`${line}\n`);
    return 1;
  }
}

/** All commands. */
export function buildProgram(world: World): Command {
  const program = new Command("headgate")
    .description("Serve functions over HTTP with several processes behind each.")
    .version(world.version, "-V, --version", "print the version")
    .addOption(new Option("-o, --output <form>", "form of what is printed").choices(["table", "json", "yaml"]).default("table"))
    .option("--state-dir <dir>", "state directory of the instance (default: the nearest .headgate upwards)")
    .option("--address <host:port>", "control address of the instance (token: HEADGATE_TOKEN)")
    .addHelpText("after", "\nExamples:\n  headgate dev ./app.ts\n  headgate start --example\n  headgate status")
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => void world.out.write(text),
      writeErr: (text) => void world.err.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "headgate: ")),
    });
  const rig: Rig = { world, globals: () => program.opts<GlobalOptions>() };
  addInstanceCommands(program, rig);
  addObjectCommands(program, rig);
  shareOptions(program);
  return program;
}

/** Lets the options of every command stand behind the command's name too: `headgate status -o json`. */
function shareOptions(program: Command): void {
  const shared = program.options.filter(({ long }) => long === "--output" || long === "--state-dir" || long === "--address");
  const visit = (command: Command): void => {
    for (const sub of command.commands) {
      sub.exitOverride().showHelpAfterError(`(headgate ${path(sub)} --help shows an example)`);
      if (sub.commands.length === 0) {
        for (const { flags, description, argChoices, long } of shared) {
          if (sub.options.some((own) => own.long === long)) continue;
          const option = new Option(flags, description);
          if (argChoices !== undefined) option.choices(argChoices);
          sub.addOption(option);
        }
        sub.hook("preAction", (_, action) => {
          for (const { long } of shared) {
            const name = long === "--output" ? "output" : long === "--state-dir" ? "stateDir" : "address";
            const value: unknown = action.getOptionValue(name);
            if (value !== undefined) program.setOptionValue(name, value);
          }
        });
      }
      visit(sub);
    }
  };
  visit(program);
}

function path(command: Command): string {
  const parent = command.parent;
  return parent === null || parent.parent === null ? command.name() : `${path(parent)} ${command.name()}`;
}

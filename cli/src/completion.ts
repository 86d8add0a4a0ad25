// Shell completion: `headgate completion SHELL` prints the script that makes a shell ask `headgate complete -- words`.
// Loaded for these two alone.

import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";

/** Adds both commands. */
export function addCompletion(program: Command): void {
  tab(program, { completionCommandName: "completion" });
}

// A handler that tells when a request is in it and answers when the test says so: no guesses about time.
// Give GATE_FILES to startInstance and name "./gate.ts#gate"; the test's side works on files below the root.

import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestInstance, waitFor } from "./instance.ts";

/** The handler: the query says which gate, as in "/slow?gate=a". */
export const GATE_FILES: Readonly<Record<string, string>> = {
  "gate.ts": `
    import { existsSync, writeFileSync } from "node:fs";
    export async function gate(request: Request): Promise<string> {
      const name = new URL(request.url).searchParams.get("gate");
      writeFileSync("entered-" + name, "");
      while (!existsSync("opened-" + name)) {
        if (request.signal.aborted) {
          writeFileSync("aborted-" + name, "");
          return "aborted";
        }
        await new Promise((done) => setTimeout(done, 10));
      }
      return "passed " + name;
    }
    /** The same for a GET; of a POST the body's length and its letters in order. */
    export async function intake(request: Request): Promise<string> {
      if (request.method === "GET") return gate(request);
      const text = await request.text();
      return text.length + " " + text.replace(/(.)\\1+/g, "$1");
    }
  `,
};

const there = async (instance: TestInstance, file: string): Promise<boolean> =>
  access(join(instance.root, file)).then(
    () => true,
    () => false,
  );

/** Resolves when a request waits at the gate. */
export async function entered(instance: TestInstance, name: string): Promise<void> {
  await waitFor(`a request at gate ${name}`, () => there(instance, `entered-${name}`));
}

/** Resolves when the handler's signal of a request at the gate was aborted. */
export async function aborted(instance: TestInstance, name: string): Promise<void> {
  await waitFor(`the abort at gate ${name}`, () => there(instance, `aborted-${name}`));
}

/** Lets the requests at the gate go on. */
export async function openGate(instance: TestInstance, name: string): Promise<void> {
  await writeFile(join(instance.root, `opened-${name}`), "");
}

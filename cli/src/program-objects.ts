// Commands about backends, endpoints, traffic and files that describe them: names, options, examples.

import type { Command } from "commander";
import type { Rig } from "./program.ts";

/** Each use of an option adds to a list; after one that takes the setting away, the list begins anew. */
const collect = (value: string, before: readonly string[] | false = []): readonly string[] => [...(before || []), value];
const backends = () => import("./commands/backend.ts");
const endpoints = () => import("./commands/endpoint.ts");

/** Adds the commands. */
export function addObjectCommands(program: Command, { world, globals }: Rig): void {
  const backend = program.command("backend").description("what runs: a handler as many replica processes");
  backend
    .command("create <name> [handler]")
    .description("start a backend; HANDLER is ./file.ts#export (default export without #)")
    .option("--arg <json>", "constructor argument, JSON or a plain string; again for each", collect)
    .option("--replicas <n>", "number of replica processes")
    .option("--set <key=value>", "a setting, such as maxConcurrentQueries=10 or env.LEVEL=debug; again for each", collect)
    .option("--command <words...>", "a program in another language instead of HANDLER")
    .addHelpText(
      "after",
      "\nExample:\n  headgate backend create greeter ./handlers.ts#Greeter --arg hello --replicas 2 --set drainTimeoutMs=5000",
    )
    .action(async (name: string, handler: string | undefined, options) =>
      (await backends()).create(world, globals(), name, handler, options),
    );
  backend
    .command("list")
    .description("all backends")
    .addHelpText("after", "\nExample:\n  headgate backend list -o json")
    .action(async () => (await backends()).list(world, globals()));
  backend
    .command("get <name>")
    .description("one backend with its replicas")
    .addHelpText("after", "\nExample:\n  headgate backend get greeter -o yaml")
    .action(async (name: string) => (await backends()).get(world, globals(), name));
  backend
    .command("update <name> [handler]")
    .description("change a backend; what is not named stays")
    .option("--arg <json>", "new constructor arguments; again for each", collect)
    .option("--replicas <n>", "number of replica processes")
    .option("--set <key=value>", "a setting; again for each", collect)
    .option("--restart", "start new processes even where nothing else changes")
    .addHelpText("after", "\nExample:\n  headgate backend update greeter --replicas 4")
    .action(async (name: string, handler: string | undefined, options) =>
      (await backends()).update(world, globals(), name, handler, options),
    );
  backend
    .command("delete <name>")
    .description("drain and end a backend")
    .option("--force", "end its replicas at once")
    .addHelpText("after", "\nExample:\n  headgate backend delete greeter")
    .action(async (name: string, options) => (await backends()).remove(world, globals(), name, options));

  const endpoint = program.command("endpoint").description("where requests come in: route, methods, traffic");
  const endpointOptions = (command: Command): Command =>
    command
      .option("--route <path>", 'HTTP path, such as /items/:id or /files/*; "" for none')
      .option("--methods <list>", "HTTP methods, such as GET,POST (default: GET)")
      .option("--request-timeout-ms <ms>", "deadline of a request")
      .option("--max-body-bytes <bytes>", "largest request body")
      .option("--sticky-cookie <name>", "sticky users: the cookie that holds their key")
      .option("--sticky-max-age-s <s>", "how long a browser keeps that cookie (default: until it is closed)")
      .option(
        "--match <rule>",
        "header:NAME=VALUE:BACKEND or cookie:NAME=VALUE:BACKEND, ^= for a prefix, no = for any; again for each",
        collect,
      )
      .option("--preview-header <name>", "request field that names the backend to go to")
      .option("--cors-origin <origin>", 'origin whose pages may call it, or "*"; again for each', collect)
      .option("--cors-methods <list>", "methods that they may use (default: the endpoint's)")
      .option("--cors-headers <list>", 'request fields that they may send, or "*"')
      .option("--cors-expose-headers <list>", 'response fields that they may read, or "*"')
      .option("--cors-credentials", "they may send cookies")
      .option("--cors-max-age-s <s>", "how long a browser remembers a preflight (default: 600)");
  endpointOptions(
    endpoint
      .command("create <name>")
      .description("open an endpoint")
      .option("--backend <name>", "the backend that gets all requests")
      .option("--traffic <backend=weight...>", "a split instead of --backend"),
  )
    .addHelpText(
      "after",
      "\nExample:\n  headgate endpoint create hello --backend greeter --route /hello --methods GET,POST" +
        "\n  headgate endpoint create ab --traffic a=0.9 b=0.1 --route /ab --sticky-cookie ab --match header:x-beta=1:b" +
        "\n  headgate endpoint create api --backend api --route /api --cors-origin https://app.example.com",
    )
    .action(async (name: string, options) => (await endpoints()).create(world, globals(), name, options));
  endpoint
    .command("list")
    .description("all endpoints")
    .addHelpText("after", "\nExample:\n  headgate endpoint list")
    .action(async () => (await endpoints()).list(world, globals()));
  endpoint
    .command("get <name>")
    .description("one endpoint")
    .addHelpText("after", "\nExample:\n  headgate endpoint get hello -o json")
    .action(async (name: string) => (await endpoints()).get(world, globals(), name));
  endpointOptions(endpoint.command("update <name>").description("change an endpoint; what is not named stays"))
    .option("--no-sticky-cookie", "no sticky users any more")
    .option("--no-match", "no match rules any more")
    .option("--no-preview-header", "no preview header any more")
    .option("--no-cors", "no CORS policy any more")
    .addHelpText("after", "\nExample:\n  headgate endpoint update hello --route /hi --match cookie:group^=beta:next --no-cors")
    .action(async (name: string, options) => (await endpoints()).update(world, globals(), name, options));
  endpoint
    .command("which <name> <key>")
    .description("the backend that requests with this shard key go to")
    .addHelpText("after", "\nExample:\n  headgate endpoint which hello user-42")
    .action(async (name: string, key: string) => (await endpoints()).which(world, globals(), name, key));
  endpoint
    .command("delete <name>")
    .description("close an endpoint; its backends stay")
    .addHelpText("after", "\nExample:\n  headgate endpoint delete hello")
    .action(async (name: string) => (await endpoints()).remove(world, globals(), name));

  program
    .command("traffic")
    .description("how an endpoint's requests are split")
    .command("set <endpoint> <backend=weight...>")
    .description("replace an endpoint's whole split; the weights sum to 1")
    .addHelpText("after", "\nExample:\n  headgate traffic set hello greeter=0.9 greeter-next=0.1")
    .action(async (name: string, weights: string[]) => (await endpoints()).setTraffic(world, globals(), name, weights));
  program
    .command("shadow")
    .description("copies of an endpoint's requests")
    .command("set <endpoint> <backend> <proportion>")
    .description("copy a part of the requests to a backend; 0 ends it")
    .addHelpText("after", "\nExample:\n  headgate shadow set hello greeter-next 0.1")
    .action(async (name: string, to: string, proportion: string) => (await endpoints()).setShadow(world, globals(), name, to, proportion));
  program
    .command("apply")
    .description("make the backends and endpoints of a file so; others stay untouched")
    .requiredOption("-f, --file <file>", "YAML file")
    .option("--dry-run", "print the plan and change nothing")
    .addHelpText("after", "\nExample:\n  headgate apply -f headgate.yaml --dry-run")
    .action(async (options) => (await import("./commands/apply.ts")).apply(world, globals(), options));
}

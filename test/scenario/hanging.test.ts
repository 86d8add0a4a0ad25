// Replicas that hang: their callers get an answer in time, their siblings take over, their neighbours notice nothing, and they are
// back when they do answer again.

import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { problem, startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance({
  files: {
    "handlers.ts": `
      import { existsSync } from "node:fs";
      export const pid = (): number => process.pid;
      export const never = (): Promise<never> => new Promise(() => undefined);
      export function loop(request: Request): string {
        while (request.url.endsWith("?forever"));
        return "done";
      }
      /** Hangs in the process that a file names, for as long as the file is there. */
      export async function moody(): Promise<number> {
        while (existsSync("hangs-" + process.pid)) await new Promise((done) => setTimeout(done, 10));
        return process.pid;
      }
    `,
  },
});
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

const stopped = new Set<number>();
afterAll(() => {
  for (const pid of stopped) process.kill(pid, "SIGCONT");
});
function stop(pid: number): void {
  stopped.add(pid);
  process.kill(pid, "SIGSTOP");
}
function goOn(pid: number): void {
  stopped.delete(pid);
  process.kill(pid, "SIGCONT");
}

/** What a request came to: the text of a 200, the code of a fault. */
async function ask(path: string): Promise<string> {
  const response = await instance.fetch(path);
  return response.status === 200 ? response.text() : String((await problem(response)).code);
}

/** The same of a caller who does not wait for ever. */
async function askBriefly(path: string): Promise<string> {
  const signal = AbortSignal.timeout(2_000);
  return instance.fetch(path, { signal }).then(
    (response) => response.text(),
    () => "the caller left",
  );
}

/** Four requests at once, again and again, until that many in a row were answered. Returns the answers of those. */
async function untilAnswered(path: string, inARow: number): Promise<ReadonlySet<string>> {
  let answers: string[] = [];
  await waitFor(`${inARow} answers in a row`, async () => {
    const some = await Promise.all(Array.from({ length: 4 }, () => askBriefly(path)));
    answers = some.every((text) => /^\d+$/.test(text)) ? [...answers, ...some] : [];
    return answers.length >= inARow;
  });
  return new Set(answers);
}

async function twoReplicas(name: string, exportName: string, requestTimeoutMs: number): Promise<readonly [number, number]> {
  await serve.createBackend({ name, handler: `./handlers.ts#${exportName}`, config: { numReplicas: 2 } });
  await serve.createEndpoint(name, { backend: name, route: `/${name}`, requestTimeoutMs });
  await waitFor("answers of both", async () => (await untilAnswered(`/${name}`, 8)).size === 2);
  const [first = 0, second = 0] = await instance.replicaPids(name);
  return [first, second];
}

test("a replica that is stopped gets no more requests while its sibling answers, and is back when it goes on", async () => {
  const [first, second] = await twoReplicas("stopped", "pid", 60_000);
  stop(first);
  // Those that it has stay there: no deadline passes here. Others are not sent there any more once its silence is known.
  const lost = Array.from({ length: 4 }, () => ask("/stopped"));
  const answers = await untilAnswered("/stopped", 200);
  expect(answers).toEqual(new Set([String(second)]));
  goOn(first);
  for (const answer of await Promise.all(lost)) expect(answer).toMatch(/^\d+$/);
  await waitFor("both again", async () => (await untilAnswered("/stopped", 40)).size === 2);
});

test("a replica on which deadlines pass while its sibling answers is taken out, and is back after a trial", async () => {
  const [first, second] = await twoReplicas("moody", "moody", 300);
  await writeFile(join(instance.root, `hangs-${first}`), "");
  const answers = await untilAnswered("/moody", 100);
  expect(answers).toEqual(new Set([String(second)]));
  await rm(join(instance.root, `hangs-${first}`));
  await waitFor("both again", async () => (await untilAnswered("/moody", 20)).size === 2);
});

test("the only replica of a backend is never taken out: what it can answer it answers", async () => {
  await serve.createBackend({ name: "only", handler: "./handlers.ts#moody" });
  await serve.createEndpoint("only", { backend: "only", route: "/only", requestTimeoutMs: 200 });
  const pid = Number(await ask("/only"));
  await writeFile(join(instance.root, `hangs-${pid}`), "");
  for (let i = 0; i < 6; i++) expect(await ask("/only")).toBe("deadline_exceeded");
  await rm(join(instance.root, `hangs-${pid}`));
  expect(await ask("/only")).toBe(String(pid));
});

test.each(["never", "loop", "stopped"])(
  "beside a backend that hangs (%s) another one answers all, and what waits is bounded",
  async (how) => {
    const name = `hangs-${how}`;
    await serve.createBackend({
      name,
      handler: `./handlers.ts#${how === "stopped" ? "pid" : how}`,
      config: { maxConcurrentQueries: 2, maxQueuedRequests: 10 },
    });
    await serve.createEndpoint(name, { backend: name, route: `/${name}`, requestTimeoutMs: 3_000 });
    await serve.createBackend(`beside-${how}`, "./handlers.ts#pid");
    await serve.createEndpoint(`beside-${how}`, { backend: `beside-${how}`, route: `/beside-${how}` });
    const [pid = 0] = await instance.replicaPids(name);
    if (how === "stopped") stop(pid);
    const hanging = Array.from({ length: 100 }, () => ask(`/${name}?forever`));
    const beside: string[] = [];
    for (let i = 0; i < 100; i++) beside.push(await ask(`/beside-${how}`));
    expect(beside.every((text) => /^\d+$/.test(text))).toBe(true);
    const codes = Object.groupBy(await Promise.all(hanging), (code) => code);
    // Two run, ten wait; in time all of them have their answer.
    expect(codes["queue_full"]).toHaveLength(88);
    expect(codes["deadline_exceeded"]).toHaveLength(12);
    if (how === "stopped") {
      goOn(pid);
      await waitFor("it to be back", async () => /^\d+$/.test(await ask(`/${name}`)));
    }
  },
);

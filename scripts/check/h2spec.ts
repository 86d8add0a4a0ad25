// h2spec, the conformance suite of HTTP/2, against a bridge's listener and against a bare node:http2 server in the same run: what bare
// Node passes, the bridge has to pass. What both fail is Node's own affair.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ServerHttp2Stream, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "headgate";
import { runTool, tool } from "./tool.ts";

const INSTALL = "go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";
const WITHIN_MS = 300_000;

const h2spec = tool("h2spec", INSTALL);
const scratch = mkdtempSync(join(tmpdir(), "headgate-h2spec-"));

/** Cases by name, and whether each passed. */
async function casesOf(name: string, port: number): Promise<ReadonlyMap<string, boolean>> {
  const report = join(scratch, `${name}.xml`);
  const text = await runTool(h2spec, ["-h", "127.0.0.1", "-p", String(port), "-o", "3", "-j", report], WITHIN_MS);
  const cases = new Map<string, boolean>();
  let xml = "";
  try {
    xml = readFileSync(report, "utf8");
  } catch {
    throw new Error(`h2spec left no report of ${name}:\n${text.slice(-2_000)}`);
  }
  for (const [, head = "", , rest = ""] of xml.matchAll(/<testcase ([^>]*?)(\/>|>([^]*?)<\/testcase>)/g)) {
    const title = /package="([^"]*)"/.exec(head)?.[1];
    const what = /classname="([^"]*)"/.exec(head)?.[1];
    cases.set(`${title}: ${what}`, !/<(?:failure|error)/.test(rest));
  }
  return cases;
}

const passed = (cases: ReadonlyMap<string, boolean>): number => [...cases.values()].filter(Boolean).length;

const bare = createServer();
bare.on("sessionError", () => undefined);
bare.on("stream", (generic) => {
  // A server's streams are ServerHttp2Streams; the event's type does not say so.
  const stream = generic as ServerHttp2Stream;
  stream.on("error", () => undefined);
  stream.resume();
  stream.respond({ ":status": 200, "content-type": "text/plain; charset=utf-8" });
  stream.end("hello");
});
await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));

const serve = await start({ httpPort: 0, h2cPort: 0, controlPort: 0, adminPort: 0, root: scratch, stateDir: join(scratch, ".headgate") });
try {
  await serve.createBackend("hello", () => "hello");
  await serve.createEndpoint("hello", { backend: "hello", route: "/", methods: ["GET", "POST"] });
  // An AddressInfo, as it listens on a port and not on a path.
  const ofNode = await casesOf("node", (bare.address() as AddressInfo).port);
  const ofBridge = await casesOf("bridge", Number(new URL(serve.h2cUrl ?? "").port));
  const worse = [...ofNode].filter(([name, good]) => good && ofBridge.get(name) !== true).map(([name]) => name);
  const { size } = ofNode;
  process.stdout.write(`note: the bridge passes ${passed(ofBridge)} of ${size} cases, bare Node ${passed(ofNode)}\n`);
  if (size < 100 || ofBridge.size !== size)
    throw new Error(`h2spec ran ${size} cases against Node and ${ofBridge.size} against the bridge`);
  if (worse.length > 0) throw new Error(`the bridge fails what bare Node passes:\n${worse.join("\n")}`);
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await serve.shutdown({ force: true });
  bare.close();
  rmSync(scratch, { recursive: true, force: true });
}
process.exit();

// How many streams one connection of a peer may have open.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { LIMITS } from "@headgate/core";
import { type StreamServer, serveStreams } from "./stream-server.ts";

const PATH = "/test.Held/Open";
let folder = "";
let server: StreamServer | null = null;
let session: ClientHttp2Session | null = null;
let open = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-streams-"));
  const socketPath = join(folder, "s.sock");
  server = await serveStreams(`unix:${socketPath}`, {
    [PATH]: () => {
      open++;
      return { message: () => undefined, halfClosed: () => undefined, closed: () => open-- };
    },
  });
  session = connect("http://localhost", { createConnection: () => connectSocket(socketPath) });
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
});
afterAll(() => {
  session?.destroy();
  server?.destroy();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens a stream. A client that knows the server's setting lets one wait that is too many. */
function openStream(): void {
  if (session === null) throw new Error("not connected");
  const stream = session.request({ ":method": "POST", ":path": PATH, "content-type": "application/grpc" });
  stream.on("error", () => undefined);
}
const ponged = (): Promise<void> => new Promise((resolve) => void session?.ping(() => resolve()));
const until = async (reached: () => boolean): Promise<void> => {
  while (!reached()) {
    if (session?.destroyed !== false) throw new Error("the connection has ended");
    await ponged();
  }
};

test("sessionStreams: so many streams of one connection are open, and one more is not while they are", async () => {
  for (let n = 0; n < LIMITS.sessionStreams; n++) openStream();
  await until(() => open === LIMITS.sessionStreams);
  openStream();
  await ponged();
  await ponged();
  expect(open).toBe(LIMITS.sessionStreams);
});

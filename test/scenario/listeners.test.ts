// What an instance listens on beside HTTP/1.1: HTTP/2 by prior knowledge and over TLS. Settings that cannot be, certificates
// that change, controllers that come back, requests that end in the middle.

import { rename, writeFile } from "node:fs/promises";
import { get as httpsGet } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type HandlerRequest, type StartOptions, start } from "headgate";
import { CERTIFICATE, OTHER_CERTIFICATE } from "../support/certificates.ts";
import { GATE_FILES, aborted, entered, openGate } from "../support/gate.ts";
import { askHttp2, openHttp2 } from "../support/http2.ts";
import { REPOSITORY, type TestInstance, alive, openSocket, runNode, startInstance, temporaryFolder, waitFor } from "../support/instance.ts";
import { openWebSocket } from "../support/websocket.ts";

const KIB = 1024;

/** A certificate and its key in files. */
async function certificateFiles() {
  const folder = await temporaryFolder();
  const path = (name: string): string => join(folder.path, name);
  const replace = async (name: "cert.pem" | "key.pem", text: string): Promise<void> => {
    await writeFile(path(`${name}.new`), text);
    await rename(path(`${name}.new`), path(name));
  };
  await replace("cert.pem", CERTIFICATE.cert);
  await replace("key.pem", CERTIFICATE.key);
  const options: StartOptions = { tlsCert: path("cert.pem"), tlsKey: path("key.pem") };
  return { options, replace, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

let instance: TestInstance;
let h2c: string;
let https: string;
/** Connections of TLS whose callers say nothing, or not enough, from the start of these tests on; resolves when they are closed. */
let silent: Promise<unknown>;
beforeAll(async () => {
  const files = await certificateFiles();
  instance = await startInstance({ files: GATE_FILES, h2cPort: 0, httpsPort: 0, ...files.options });
  await files[Symbol.asyncDispose]();
  const { serve } = instance;
  h2c = serve.h2cUrl ?? "";
  https = serve.httpsUrl ?? "";
  const starts = ["", "\x16\x03\x01\x02\x00\x01"].map(async (hello) => {
    const socket = await openSocket(https);
    socket.on("error", () => undefined).write(hello, "latin1");
    await new Promise((resolve) => socket.once("close", resolve));
  });
  silent = Promise.all(starts);
  await serve.createBackend("echo", async (request: Request) => ({
    method: request.method,
    bytes: (await request.arrayBuffer()).byteLength,
    headers: Object.fromEntries(request.headers),
  }));
  await serve.createBackend("cookies", () => {
    const headers = new Headers({ etag: '"1"' });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    return new Response("with cookies", { headers });
  });
  await serve.createBackend("endless", async function* () {
    const piece = new Uint8Array(16 * 1024);
    for (;;) yield piece;
  });
  await serve.createBackend("gate", "./gate.ts#gate");
  // The URL as the handler sees it, or as the one that it calls does.
  await serve.createBackend("url", async (request: HandlerRequest) => {
    if (!request.isWebSocket)
      return request.url.includes("called") ? request.handle("url").call(undefined, { path: "/there" }) : request.url;
    const socket = request.acceptWebSocket();
    await socket.send(request.url);
    return undefined;
  });
  await serve.createEndpoint("url", { backend: "url", route: "/url" });
  const program = join(REPOSITORY, "test", "support", "garbage-replica.ts");
  await serve.createBackend("program", { command: [process.execPath, program, "unary"] });
  await serve.createEndpoint("program", { backend: "program", route: "/program/*" });
  await serve.createEndpoint("echo", { backend: "echo", route: "/echo", methods: ["GET", "POST"] });
  await serve.createEndpoint("small", { backend: "echo", route: "/small", methods: ["POST"], maxBodyBytes: 1000 });
  await serve.createEndpoint("cookies", { backend: "cookies", route: "/cookies" });
  await serve.createEndpoint("endless", { backend: "endless", route: "/endless" });
  await serve.createEndpoint("gate", { backend: "gate", route: "/gate", methods: ["GET", "POST"] });
});
afterAll(async () => {
  const { bridges } = await instance.serve.status();
  await instance[Symbol.asyncDispose]();
  expect(bridges).toMatchObject([{ state: "serving", restarts: 0 }]);
});

describe("HTTP/2 by prior knowledge", () => {
  test("a request with fields and a body reaches the handler as over HTTP/1.1", async () => {
    await using client = openHttp2(h2c);
    const answer = await askHttp2(client.session, { ":path": "/echo", "x-mine": "1", cookie: ["a=1", "b=2"] }, "hello");
    expect(answer).toMatchObject({ status: 200, code: 0, headers: { "content-type": "application/json" } });
    expect(answer.headers["x-request-id"]).toMatch(/./);
    expect(JSON.parse(answer.body)).toMatchObject({
      method: "POST",
      bytes: 5,
      headers: { "x-mine": "1", cookie: "a=1; b=2", host: new URL(h2c).host },
    });
  });

  test("many requests share one connection", async () => {
    await using client = openHttp2(h2c);
    const answers = await Promise.all(Array.from({ length: 80 }, () => askHttp2(client.session, { ":path": "/echo" })));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 80 }, () => 200));
  });

  test("HEAD has the fields and no body, and several Set-Cookie stay several", async () => {
    await using client = openHttp2(h2c);
    const head = await askHttp2(client.session, { ":path": "/cookies", ":method": "HEAD" });
    expect(head).toMatchObject({ status: 200, body: "", headers: { etag: '"1"', "content-length": "12", "set-cookie": ["a=1", "b=2"] } });
  });

  test("OPTIONS is answered with Allow, an unknown path is a problem", async () => {
    await using client = openHttp2(h2c);
    expect(await askHttp2(client.session, { ":path": "/echo", ":method": "OPTIONS" })).toMatchObject({
      status: 204,
      headers: { allow: "GET, HEAD, OPTIONS, POST" },
    });
    const unknown = await askHttp2(client.session, { ":path": "/nothing" });
    expect(unknown).toMatchObject({ status: 404, headers: { "content-type": "application/problem+json" } });
    expect(JSON.parse(unknown.body)).toMatchObject({ code: "route_not_found", requestId: unknown.headers["x-request-id"] });
  });

  test("a body over the limit is 413, said or not said before", async () => {
    await using client = openHttp2(h2c);
    const said = await askHttp2(client.session, { ":path": "/small", "content-length": 1001 }, "x".repeat(1001));
    const unsaid = await askHttp2(client.session, { ":path": "/small" }, "x".repeat(64 * KIB));
    const right = await askHttp2(client.session, { ":path": "/small" }, "x".repeat(1000));
    expect([said.status, unsaid.status, right.status]).toEqual([413, 413, 200]);
    expect(JSON.parse(unsaid.body)).toMatchObject({ code: "body_too_large", limit: "maxBodyBytes" });
  });

  test("a stream that the caller resets aborts its handler, and no other", async () => {
    await using client = openHttp2(h2c);
    const kept = askHttp2(client.session, { ":path": "/gate?gate=kept" });
    const left = client.session.request({ ":path": "/gate?gate=left" });
    left.on("error", () => undefined);
    await Promise.all([entered(instance, "kept"), entered(instance, "left")]);
    left.close(8);
    await aborted(instance, "left");
    await openGate(instance, "kept");
    expect(await kept).toMatchObject({ status: 200, body: "passed kept" });
  });

  test.each([
    ["without TLS", "h2c"],
    ["over TLS", "https"],
  ])("a caller that closes its connection %s is gone, with all that it asked for there, taken or not", async (_, name) => {
    await using client = openHttp2(name === "h2c" ? h2c : https, CERTIFICATE.cert);
    const { session } = client;
    const waiting = session.request({ ":path": `/gate?gate=gone-${name}` });
    const unread = session.request({ ":path": "/endless" });
    for (const stream of [waiting, unread]) stream.on("error", () => undefined);
    await Promise.all([entered(instance, `gone-${name}`), new Promise((resolve) => unread.once("response", resolve))]);
    session.destroy();
    await aborted(instance, `gone-${name}`);
    await waitFor("an idle bridge", async () => (await instance.serve.status()).bridges.every(({ inFlight }) => inFlight === 0));
  });

  test("a reader that stops holds back its own stream alone", async () => {
    await using client = openHttp2(h2c);
    const stopped = client.session.request({ ":path": "/endless" });
    stopped.on("error", () => undefined);
    await new Promise((resolve) => stopped.once("response", resolve));
    for (let round = 0; round < 20; round += 1) expect((await askHttp2(client.session, { ":path": "/echo" })).status).toBe(200);
    stopped.close(8);
    await waitFor("an idle bridge", async () => (await instance.serve.status()).bridges.every(({ inFlight }) => inFlight === 0));
  });

  test("what is no HTTP/2 ends its connection, and the next one is served", async () => {
    await expect(fetch(`${h2c}/echo`)).rejects.toThrow();
    await using client = openHttp2(h2c);
    expect((await askHttp2(client.session, { ":path": "/echo" })).status).toBe(200);
  });
});

/** The body of an answer over HTTP/1.1 and TLS. */
function askHttps(path: string): Promise<{ readonly version: string; readonly body: string }> {
  return new Promise((resolve, reject) => {
    httpsGet(`${https}${path}`, { ca: CERTIFICATE.cert }, (response) => {
      let body = "";
      response.on("data", (piece) => (body += String(piece)));
      response.on("end", () => resolve({ version: response.httpVersion, body }));
    }).on("error", reject);
  });
}

describe("HTTPS", () => {
  test("gives HTTP/2 to callers that know it", async () => {
    await using client = openHttp2(https, CERTIFICATE.cert);
    const answer = await askHttp2(client.session, { ":path": "/echo" }, "over TLS");
    expect(client.session.alpnProtocol).toBe("h2");
    expect(JSON.parse(answer.body)).toMatchObject({ bytes: 8 });
  });

  test("and HTTP/1.1 to those that do not", async () => {
    const answer = await askHttps("/echo");
    expect(answer.version).toBe("1.1");
    expect(JSON.parse(answer.body)).toMatchObject({ method: "GET" });
  });

  test("is what request.url says, over HTTP/1.1, HTTP/2 and a WebSocket, and not where the caller came without TLS", async () => {
    expect((await askHttps("/url")).body).toBe(`${https}/url`);
    await using secure = openHttp2(https, CERTIFICATE.cert);
    expect((await askHttp2(secure.session, { ":path": "/url?a=b" })).body).toBe(`${https}/url?a=b`);
    const talk = await openWebSocket(https, "/url", { ca: CERTIFICATE.cert });
    expect(await talk.next()).toBe(`${https}/url`);
    await talk.closed;
    const { httpUrl } = instance.serve;
    expect(await instance.text("/url")).toBe(`${httpUrl}/url`);
    // Whatever the caller says itself.
    const said = { headers: { "x-forwarded-proto": "https", forwarded: "proto=https" } };
    expect(await (await instance.fetch("/url", said)).text()).toBe(`${httpUrl}/url`);
    await using plain = openHttp2(h2c);
    expect((await askHttp2(plain.session, { ":path": "/url" })).body).toBe(`${h2c}/url`);
  });

  test("goes along with the calls of a handler, and to a program that serves Handle alone", async () => {
    expect((await askHttps("/url?called")).body).toBe("https://localhost/there");
    expect(await instance.text("/url?called")).toBe("http://localhost/there");
    expect(await instance.serve.handle("url").call()).toBe("http://localhost/");
    expect((await askHttps("/program/secure")).body).toBe("true");
    expect(await instance.text("/program/secure")).toBe("false");
  });

  test("a handshake that is none ends its connection, and the next one is served", async () => {
    await expect(fetch(`${https.replace("https:", "http:")}/echo`)).rejects.toThrow();
    await using client = openHttp2(https, CERTIFICATE.cert);
    expect((await askHttp2(client.session, { ":path": "/echo" })).status).toBe(200);
  });
});

/** The common name of the certificate that is shown. */
function shownCertificate(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host: hostname, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

async function logsOf({ serve }: TestInstance): Promise<string> {
  let text = "";
  for await (const { line } of serve.logs({ tailLines: 1000 })) text += `${line}\n`;
  return text;
}

test("a certificate that changes is taken, one that cannot be used is not", async () => {
  await using files = await certificateFiles();
  await using other = await startInstance({ httpsPort: 0, ...files.options });
  const url = other.serve.httpsUrl ?? "";
  expect(await shownCertificate(url)).toBe("localhost a");
  await files.replace("cert.pem", "no certificate");
  await waitFor("the bridge's word of it", async () => (await logsOf(other)).includes("the changed certificate cannot be used"));
  expect(await shownCertificate(url)).toBe("localhost a");
  await files.replace("key.pem", OTHER_CERTIFICATE.key);
  await files.replace("cert.pem", OTHER_CERTIFICATE.cert);
  await waitFor("the other certificate", async () => (await shownCertificate(url)) === "localhost b");
});

describe("a start that cannot be is refused by the name of its setting, and leaves nothing", () => {
  async function refused(options: StartOptions): Promise<{ readonly code: string; readonly details: Readonly<Record<string, string>> }> {
    await using folder = await temporaryFolder();
    const here = { httpPort: 0, controlPort: 0, adminPort: 0, root: folder.path, stateDir: join(folder.path, ".headgate") };
    const error: unknown = await start({ ...here, ...options }).then(
      async (started) => started.shutdown({ force: true }),
      (reason: unknown) => reason,
    );
    if (error === undefined) throw new Error("it started");
    // Its directory is free for a start that can be.
    await (await start(here)).shutdown({ force: true });
    // Every refusal of the package is a HeadgateError; anything else fails at the expectations that follow.
    return error as { code: string; details: Record<string, string> };
  }

  test("a port that is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((done) => taken.once("listening", done));
    const { port } = taken.address() as AddressInfo; // it listens on a port, not on a path
    await using files = await certificateFiles();
    expect(await refused({ h2cPort: port })).toMatchObject({ code: "port_taken", details: { port: String(port) } });
    expect(await refused({ httpsPort: port, ...files.options })).toMatchObject({ code: "port_taken", details: { port: String(port) } });
    taken.close();
  });

  test("two listeners on one port", async () => {
    expect(await refused({ httpPort: 18_000, h2cPort: 18_000 })).toMatchObject({
      code: "invalid_argument",
      details: { field: "h2c-port" },
    });
  });

  test("HTTPS without a certificate, and a certificate without HTTPS", async () => {
    await using files = await certificateFiles();
    const { tlsCert, tlsKey } = files.options;
    expect(await refused({ httpsPort: 0 })).toMatchObject({ code: "invalid_argument", details: { field: "tls-cert" } });
    expect(await refused({ httpsPort: 0, tlsCert })).toMatchObject({ details: { field: "tls-key" } });
    expect(await refused({ tlsCert, tlsKey })).toMatchObject({ details: { field: "https-port" } });
  });

  test("a certificate that is not there, is none, or has another key", async () => {
    await using files = await certificateFiles();
    const { tlsCert, tlsKey } = files.options;
    expect(await refused({ httpsPort: 0, tlsCert: "nowhere.pem", tlsKey })).toMatchObject({
      code: "invalid_argument",
      details: { field: "tls-cert" },
      message: expect.stringContaining("ENOENT"),
    });
    await files.replace("key.pem", OTHER_CERTIFICATE.key);
    expect(await refused({ httpsPort: 0, tlsCert, tlsKey })).toMatchObject({ code: "invalid_argument", details: { field: "tls-key" } });
    await files.replace("cert.pem", "nothing");
    expect(await refused({ httpsPort: 0, tlsCert, tlsKey })).toMatchObject({ code: "invalid_argument", details: { field: "tls-cert" } });
  });
});

test("a controller that comes back adopts what is served, and two bridges share every port", async () => {
  await using files = await certificateFiles();
  await using other = await startInstance({ h2cPort: 0, httpsPort: 0, bridges: 2, ...files.options });
  const { h2cUrl, httpsUrl, httpUrl } = other.serve;
  const before = await other.serve.status();
  expect(before).toMatchObject({ httpUrl, h2cUrl, httpsUrl });
  process.kill(before.controller.pid, "SIGKILL");
  await waitFor("the controller's end", () => !alive(before.controller.pid));
  await other.restart();
  expect(other.serve).toMatchObject({ httpUrl, h2cUrl, httpsUrl });
  const after = await other.serve.status();
  expect(new Set(after.bridges.map(({ pid }) => pid))).toEqual(new Set(before.bridges.map(({ pid }) => pid)));
  await using client = openHttp2(h2cUrl ?? "");
  expect((await askHttp2(client.session, { ":path": "/-/healthz" })).status).toBe(200);
});

test("a bridge that serves something else than what is asked for now is not adopted", async () => {
  await using other = await startInstance({ h2cPort: 0 });
  const before = await other.serve.status();
  process.kill(before.controller.pid, "SIGKILL");
  await waitFor("the controller's end", () => !alive(before.controller.pid));
  await other.restart({ h2cPort: undefined });
  const after = await other.serve.status();
  expect(after.h2cUrl).toBeNull();
  expect(after.bridges).toHaveLength(1);
  expect(after.bridges[0]?.pid).not.toBe(before.bridges[0]?.pid);
});

test("while draining, requests of HTTP/2 finish and their connection takes nothing new", async () => {
  await using other = await startInstance({ files: GATE_FILES, h2cPort: 0 });
  await other.serve.createBackend("gate", "./gate.ts#gate");
  await other.serve.createEndpoint("gate", { backend: "gate", route: "/gate" });
  await using client = openHttp2(other.serve.h2cUrl ?? "");
  const running = askHttp2(client.session, { ":path": "/gate?gate=a" });
  await entered(other, "a");
  const told = new Promise((resolve) => client.session.once("goaway", resolve));
  const ended = other.serve.shutdown();
  await told;
  await openGate(other, "a");
  expect(await running).toMatchObject({ status: 200, body: "passed a", code: 0 });
  await ended;
});

test("a handshake that does not come to its end is given up after headerTimeoutMs", async () => {
  await silent;
  await using client = openHttp2(https, CERTIFICATE.cert);
  expect(await askHttp2(client.session, { ":path": "/-/healthz" })).toMatchObject({ status: 200 });
});

test("the command line shows what is served", async () => {
  await using files = await certificateFiles();
  await using folder = await temporaryFolder();
  const cli = join(REPOSITORY, "cli", "bin", "headgate.mjs");
  const words = ["--http-port", "0", "--control-port", "0", "--admin-port", "0", "--h2c-port", "0", "--https-port", "0"];
  const { tlsCert = "", tlsKey = "" } = files.options;
  const started = await runNode([cli, "start", "--detach", ...words, "--tls-cert", tlsCert, "--tls-key", tlsKey], { cwd: folder.path });
  expect(started.stdout).toMatch(/h2c +http:\/\/127\.0\.0\.1:\d+/);
  expect(started.stdout).toMatch(/HTTPS +https:\/\/127\.0\.0\.1:\d+/);
  const status = await runNode([cli, "status"], { cwd: folder.path });
  expect(status.stdout).toMatch(/h2c http:\/\/127\.0\.0\.1:\d+ +HTTPS https:\/\/127\.0\.0\.1:\d+/);
  expect((await runNode([cli, "stop"], { cwd: folder.path })).code).toBe(0);
});

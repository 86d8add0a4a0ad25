// Sticky users: a cookie that the bridge sets and reads, and what moves when the weights change.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { CERTIFICATE } from "../support/certificates.ts";
import { askHttp2, openHttp2 } from "../support/http2.ts";
import { problem, startInstance, temporaryFolder } from "../support/instance.ts";
import { openWebSocket } from "../support/websocket.ts";

await using folder = await temporaryFolder();
const tlsCert = join(folder.path, "cert.pem");
const tlsKey = join(folder.path, "key.pem");
await writeFile(tlsCert, CERTIFICATE.cert);
await writeFile(tlsKey, CERTIFICATE.key);
const instance = await startInstance({ httpsPort: 0, tlsCert, tlsKey });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend("stable", () => "stable");
await serve.createBackend("canary", () => "canary");
await serve.createEndpoint("ab", {
  traffic: { stable: 0.9, canary: 0.1 },
  route: "/ab",
  methods: ["GET", "POST"],
  affinity: { cookie: "ab" },
});

/** The cookie that an answer sets: its value and its attributes. */
function cookieOf(response: Response): { readonly value: string; readonly attributes: readonly string[] } | null {
  const [pair = "", ...attributes] = response.headers.getSetCookie()[0]?.split("; ") ?? [];
  return pair === "" ? null : { value: pair.slice(pair.indexOf("=") + 1), attributes };
}
const as = (key: string, more: Readonly<Record<string, string>> = {}) =>
  instance.fetch("/ab", { headers: { cookie: `theme=dark; ab=${key}`, ...more } });

test("a user without the cookie is given a random key and stays where it leads", async () => {
  const first = await instance.fetch("/ab");
  const set = cookieOf(first);
  expect(set?.value).toMatch(/^[\w-]{22}$/);
  expect(set?.attributes).toEqual(["Path=/", "HttpOnly", "SameSite=Lax"]);
  const backend = await first.text();
  expect(backend).toBe(await serve.whichBackend("ab", set?.value ?? ""));
  for (let request = 0; request < 20; request += 1) {
    const again = await as(set?.value ?? "");
    expect([await again.text(), cookieOf(again)]).toEqual([backend, null]);
  }
});

test("each new user gets a key of their own, and users spread as the weights say", async () => {
  const keys = new Set<string>();
  let canary = 0;
  for (let user = 0; user < 300; user += 1) {
    const response = await instance.fetch("/ab");
    keys.add(cookieOf(response)?.value ?? "");
    if ((await response.text()) === "canary") canary += 1;
  }
  expect(keys.size).toBe(300);
  // Five standard deviations around 30.
  expect(Math.abs(canary - 30)).toBeLessThan(26);
});

test("a cookie that is too long or empty is replaced, one of any other form is a key", async () => {
  for (const bad of ["", "x".repeat(257)]) expect(cookieOf(await as(bad))?.value).toMatch(/^[\w-]{22}$/);
  for (const good of ["user-42", "x".repeat(256), "a=b"]) {
    const response = await as(good);
    expect([cookieOf(response), await response.text()]).toEqual([null, await serve.whichBackend("ab", good)]);
  }
});

test("X-Headgate-Shard-Key wins over the cookie, and then none is set", async () => {
  for (let user = 0; user < 30; user += 1) {
    const response = await instance.fetch("/ab", { headers: { "x-headgate-shard-key": `user-${user}` } });
    expect([await response.text(), cookieOf(response)]).toEqual([await serve.whichBackend("ab", `user-${user}`), null]);
    expect(await (await as("someone-else", { "x-headgate-shard-key": `user-${user}` })).text()).toBe(
      await serve.whichBackend("ab", `user-${user}`),
    );
  }
});

test("a shard key over its limit is refused with 431", async () => {
  expect((await as("k", { "x-headgate-shard-key": "x".repeat(256) })).status).toBe(200);
  const response = await as("k", { "x-headgate-shard-key": "x".repeat(257) });
  expect(response.status).toBe(431);
  expect(await problem(response)).toMatchObject({ limit: "shardKeyBytes" });
});

test("an answer to a request with a body, and a refusal, set the cookie too", async () => {
  expect(cookieOf(await instance.fetch("/ab", { method: "POST", body: "small" }))).not.toBeNull();
  await serve.createBackend("broken", () => {
    throw new Error("no");
  });
  await serve.createEndpoint("broken", { backend: "broken", route: "/broken", affinity: { cookie: "__Host-b", maxAgeS: 3600 } });
  const failed = await instance.fetch("/broken");
  expect(failed.status).toBe(500);
  expect(cookieOf(failed)?.attributes).toEqual(["Path=/", "HttpOnly", "SameSite=Lax", "Secure", "Max-Age=3600"]);
});

test("from 10 % to 20 % exactly those users move who are between: none comes back, none other goes", async () => {
  const users = Array.from({ length: 400 }, (_, index) => `user-${index}`);
  const places = async (): Promise<ReadonlyMap<string, string>> => {
    const found = new Map<string, string>();
    for (let at = 0; at < users.length; at += 50) {
      await Promise.all(users.slice(at, at + 50).map(async (user) => found.set(user, await (await as(user)).text())));
    }
    return found;
  };
  await serve.setTraffic("ab", { stable: 0.9, canary: 0.1 });
  const before = await places();
  await serve.setTraffic("ab", { stable: 0.8, canary: 0.2 });
  const after = await places();
  const moved = users.filter((user) => before.get(user) !== after.get(user));
  expect(new Set(moved.map((user) => `${before.get(user)} → ${after.get(user)}`))).toEqual(new Set(["stable → canary"]));
  // Five standard deviations around 40.
  expect(Math.abs(moved.length - 40)).toBeLessThan(30);
  for (const user of users.slice(0, 50)) expect(await serve.whichBackend("ab", user)).toBe(after.get(user));
  await serve.setTraffic("ab", { stable: 0.9, canary: 0.1 });
  expect(await places()).toEqual(before);
});

test("over TLS and HTTP/2 the cookie is set with Secure, and read out of the pieces that HTTP/2 sends", async () => {
  await using client = openHttp2(serve.httpsUrl ?? "", CERTIFICATE.cert);
  const first = await askHttp2(client.session, { ":path": "/ab" });
  const [set = ""] = first.headers["set-cookie"] ?? [];
  expect(set).toMatch(/^ab=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  for (const key of ["user-1", "user-2", "user-3"]) {
    const again = await askHttp2(client.session, { ":path": "/ab", cookie: ["theme=dark", `ab=${key}`] });
    expect([again.body, again.headers["set-cookie"]]).toEqual([await serve.whichBackend("ab", key), undefined]);
  }
});

test("a WebSocket sticks as requests do: its handshake sets the cookie, and goes where the cookie leads", async () => {
  await serve.createBackend("talk-a", async (request: HandlerRequest) => request.acceptWebSocket().send("a"));
  await serve.createBackend("talk-b", async (request: HandlerRequest) => request.acceptWebSocket().send("b"));
  await serve.createEndpoint("talk", { traffic: { "talk-a": 0.5, "talk-b": 0.5 }, route: "/talk", affinity: { cookie: "ab" } });
  const fresh = await openWebSocket(serve.httpUrl, "/talk");
  const [set = ""] = fresh.headers["set-cookie"] ?? [];
  expect(set).toMatch(/^ab=[\w-]{22}; /);
  expect(`talk-${String(await fresh.next())}`).toBe(await serve.whichBackend("talk", set.slice(3, 25)));
  for (const key of ["user-1", "user-2", "user-3", "user-4"]) {
    const talk = await openWebSocket(serve.httpUrl, "/talk", { headers: { cookie: `ab=${key}` } });
    expect(`talk-${String(await talk.next())}`).toBe(await serve.whichBackend("talk", key));
    expect(talk.headers["set-cookie"]).toBeUndefined();
  }
});

test("a handle's key leads to the same backend", async () => {
  for (const key of ["user-1", "user-2", "user-3"]) {
    expect(await (await serve.handle("ab", { shardKey: key }).send()).text()).toBe(await serve.whichBackend("ab", key));
  }
});

test("a handle's key that cannot be one is refused where the handle is made", () => {
  for (const shardKey of ["", "x".repeat(257)]) {
    expect(() => serve.handle("ab", { shardKey })).toThrow(
      expect.objectContaining({ code: "invalid_argument", details: { field: "shardKey", limit: "shardKeyBytes" } }),
    );
  }
});

test("whichBackend says what is wrong with an endpoint or key that cannot be", async () => {
  await expect(serve.whichBackend("nowhere", "k")).rejects.toMatchObject({ code: "endpoint_not_found" });
  await expect(serve.whichBackend("ab", "")).rejects.toMatchObject({ code: "invalid_argument", details: { field: "shardKey" } });
});

test("without the setting no cookie is set, and any that comes is a cookie like others", async () => {
  await serve.updateEndpoint("ab", { affinity: null });
  expect(cookieOf(await instance.fetch("/ab"))).toBeNull();
});

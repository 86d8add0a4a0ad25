// Who asks for a WebSocket, what is wrong with that, and which pages may.
import { expect, test } from "@jest/globals";
import { type HandshakeFields, acceptText, asksForWebSocket, handshakeProblem, offersProtocol, originAllowed } from "./handshake.ts";

test.each<[string, string, number, HandshakeFields, boolean]>([
  ["a GET with Upgrade: websocket", "GET", 1, { upgrade: "websocket" }, true],
  ["one in other letters", "GET", 1, { upgrade: "WebSocket" }, true],
  ["one that says that it has no body", "GET", 1, { upgrade: "websocket", "content-length": "0" }, true],
  ["one with a body", "GET", 1, { upgrade: "websocket", "content-length": "1" }, false],
  ["one with a body in chunks", "GET", 1, { upgrade: "websocket", "transfer-encoding": "chunked" }, false],
  ["a POST", "POST", 1, { upgrade: "websocket" }, false],
  ["HTTP/1.0", "GET", 0, { upgrade: "websocket" }, false],
  ["another protocol", "GET", 1, { upgrade: "h2c" }, false],
  ["several protocols", "GET", 1, { upgrade: "websocket, h2c" }, false],
  ["no upgrade", "GET", 1, {}, false],
])("%s", (_what, method, minor, fields, asks) => {
  expect(asksForWebSocket(method, minor, fields)).toBe(asks);
});

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

test.each([
  ["a good one", "13", KEY, null],
  ["another version", "8", KEY, "upgrade_required"],
  ["no version", undefined, KEY, "upgrade_required"],
  ["two versions", "13, 13", KEY, "upgrade_required"],
  ["no key", "13", undefined, "malformed_request"],
  ["two keys", "13", `${KEY}, ${KEY}`, "malformed_request"],
  ["a key of 15 bytes", "13", "dGhlIHNhbXBsZSBub25j", "malformed_request"],
])("the handshake's fields: %s", (_what, version, key, code) => {
  expect(handshakeProblem({ "sec-websocket-version": version, "sec-websocket-key": key })?.code ?? null).toBe(code);
});

test.each([
  [undefined, "a", true],
  ["http://a", "a", true],
  ["https://a", "a", true],
  ["https://A.example", "a.EXAMPLE", true],
  ["https://a:443", "a", true],
  ["https://a", "a:443", true],
  ["http://a:80", "a:80", true],
  ["http://a:8000", "a:8000", true],
  ["http://[::1]:8000", "[::1]:8000", true],
  ["http://a:443", "a", false],
  ["https://a:80", "a", false],
  ["http://a:8001", "a:8000", false],
  ["http://b", "a", false],
  ["http://a.b", "a", false],
  ["http://a", "a.b", false],
  ["null", "null", false],
  ["", "", false],
  ["http://", "", true],
  ["ftp://a", "a", false],
  ["http://a", undefined, false],
])("a page of %s at host %s: %s", (origin, host, allowed) => {
  expect(originAllowed(origin, host, [])).toBe(allowed);
});

test("an endpoint allows further origins by name, or all", () => {
  expect(originAllowed("https://APP.example", "a", ["https://app.example"])).toBe(true);
  expect(originAllowed("https://app.example", "a", ["http://app.example"])).toBe(false);
  expect(originAllowed("null", "a", "*")).toBe(true);
});

test("a subprotocol is offered where the list has it whole", () => {
  const fields = { "sec-websocket-protocol": "v1, v2.b ,v3" };
  expect(["v1", "v2.b", "v3", "v2", "V1", ""].map((name) => offersProtocol(fields, name))).toEqual([true, true, true, false, false, false]);
});

test("the answer that accepts carries the handler's fields, but for those of the handshake", () => {
  const own = { list: ["set-cookie", "a=1", "sec-websocket-extensions", "x", "sec-websocket-protocol", "v1"], text: "" };
  expect(acceptText("HASH", own, "r-1", { list: [], text: "vary: origin\r\n" })).toBe(
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: HASH\r\n" +
      "set-cookie: a=1\r\nsec-websocket-protocol: v1\r\nvary: origin\r\nx-request-id: r-1\r\n\r\n",
  );
});

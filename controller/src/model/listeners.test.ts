// Which settings of listeners go together, and which bridge may stay.
import { expect, test } from "@jest/globals";
import { type Listeners, listenersFit, listenersProblem, portsFound, portsUnknown, servedUrls } from "./listeners.ts";

const HTTP: Listeners = { httpHost: "127.0.0.1", httpPort: 8000, h2cPort: null, httpsPort: null, tlsCert: "", tlsKey: "" };
const TLS: Listeners = { ...HTTP, httpsPort: 8443, tlsCert: "/c", tlsKey: "/k" };

test.each<[string, Partial<Listeners>, string | null]>([
  ["HTTP alone", {}, null],
  ["all three", { h2cPort: 8001, httpsPort: 8443, tlsCert: "/c", tlsKey: "/k" }, null],
  ["any free ports", { httpPort: 0, h2cPort: 0 }, null],
  ["HTTPS without a certificate", { httpsPort: 8443, tlsKey: "/k" }, "tls-cert"],
  ["HTTPS without a key", { httpsPort: 8443, tlsCert: "/c" }, "tls-key"],
  ["a certificate without HTTPS", { tlsCert: "/c", tlsKey: "/k" }, "https-port"],
  ["one port twice", { h2cPort: 8000 }, "h2c-port"],
  ["one port twice, the other way", { h2cPort: 8443, httpsPort: 8443, tlsCert: "/c", tlsKey: "/k" }, "https-port"],
])("%s", (_, settings, field) => {
  expect(listenersProblem({ ...HTTP, ...settings })?.details.field ?? null).toBe(field);
});

test.each<[string, Partial<Listeners>, Partial<Listeners>, boolean]>([
  ["the same", {}, {}, true],
  ["another port", { httpPort: 9000 }, {}, false],
  ["any free port, and it serves one", { httpPort: 0, httpsPort: 0 }, {}, true],
  ["it has not found its port yet", { httpPort: 0 }, { httpPort: 0 }, false],
  ["another address", { httpHost: "::1" }, {}, false],
  ["h2c, which it does not serve", { h2cPort: 0 }, {}, false],
  ["no h2c, which it serves", {}, { h2cPort: 8001 }, false],
  ["another certificate", { tlsCert: "/other" }, {}, false],
  ["another key", { tlsKey: "/other" }, {}, false],
])("a bridge may stay where what is asked for is %s: told rightly", (_, wanted, running, fits) => {
  expect(listenersFit({ ...TLS, ...wanted }, { ...TLS, ...running })).toBe(fits);
});

test("a port that a bridge has found takes the place of any free one, and no other's", () => {
  expect(portsFound({ httpPort: 0, h2cPort: 0, httpsPort: null }, { httpPort: 1, h2cPort: 2, httpsPort: 0 })).toEqual({
    httpPort: 1,
    h2cPort: 2,
    httpsPort: null,
  });
  expect(portsFound({ httpPort: 8000, h2cPort: null, httpsPort: 0 }, { httpPort: 1, h2cPort: 0, httpsPort: 3 })).toEqual({
    httpPort: 8000,
    h2cPort: null,
    httpsPort: 3,
  });
  expect(portsUnknown({ httpPort: 8000, h2cPort: 0, httpsPort: null })).toBe(true);
  expect(portsUnknown({ httpPort: 8000, h2cPort: null, httpsPort: null })).toBe(false);
});

test("URLs, and none where nothing is served", () => {
  expect(servedUrls(TLS)).toEqual({ httpUrl: "http://127.0.0.1:8000", h2cUrl: null, httpsUrl: "https://127.0.0.1:8443" });
  expect(servedUrls({ ...HTTP, httpHost: "::1", h2cPort: 1 })).toMatchObject({ httpUrl: "http://[::1]:8000", h2cUrl: "http://[::1]:1" });
});

import { expect, test } from "@jest/globals";
import { endpointSettings, parseMatchWord } from "./endpoint-words.ts";

test.each([
  ["header:x-beta=1:next", { backend: "next", header: "x-beta", value: "1" }],
  ["header:user-agent^=curl/8: x:next", { backend: "next", header: "user-agent", prefix: "curl/8: x" }],
  ["cookie:group=a=b:c:next.1", { backend: "next.1", cookie: "group", value: "a=b:c" }],
  ["cookie:Group=:next", { backend: "next", cookie: "Group", value: "" }],
  ["header:x-debug:next", { backend: "next", header: "x-debug", present: true }],
])("the word %s is a rule", (word, rule) => {
  expect(parseMatchWord(word)).toEqual({ ok: true, value: rule });
});

test.each(["", "x-beta=1:next", "header:x-beta=1", "header:=1:next", "query:a=1:next", "header:x-beta:"])("the word %p is none", (word) => {
  expect(parseMatchWord(word)).toMatchObject({ ok: false, error: { message: expect.stringContaining("header:NAME=VALUE:BACKEND") } });
});

test("options name what they change and nothing else", () => {
  expect(endpointSettings({ cors: true })).toEqual({ ok: true, value: {} });
  expect(
    endpointSettings({
      route: "",
      methods: "get, post",
      corsOrigin: ["https://a.example", "https://b.example"],
      corsHeaders: "x-a,x-b",
      corsCredentials: true,
      corsMaxAgeS: "5",
      stickyCookie: "ab",
      stickyMaxAgeS: "60",
      match: ["header:x-beta=1:b", "cookie:g:c"],
      previewHeader: "x-p",
    }),
  ).toEqual({
    ok: true,
    value: {
      route: null,
      methods: ["get", "post"],
      cors: { origins: ["https://a.example", "https://b.example"], headers: ["x-a", "x-b"], credentials: true, maxAgeS: 5 },
      affinity: { cookie: "ab", maxAgeS: 60 },
      matches: [
        { backend: "b", header: "x-beta", value: "1" },
        { backend: "c", cookie: "g", present: true },
      ],
      previewHeader: "x-p",
    },
  });
});

test("the options that begin with no- take settings away", () => {
  expect(endpointSettings({ cors: false, stickyCookie: false, match: false, previewHeader: false })).toEqual({
    ok: true,
    value: { cors: null, affinity: null, matches: [], previewHeader: null },
  });
});

test.each([
  [{ corsCredentials: true }, "--cors-origin"],
  [{ stickyMaxAgeS: "60" }, "--sticky-cookie"],
  [{ stickyCookie: "ab", stickyMaxAgeS: "long" }, "--sticky-max-age-s must be a number"],
  [{ corsOrigin: ["*"], corsMaxAgeS: "x" }, "--cors-max-age-s must be a number"],
  [{ maxBodyBytes: "10k" }, "--max-body-bytes must be a number"],
  [{ match: ["x"] }, "no match rule"],
])("%p is refused with a hint", (words, message) => {
  expect(endpointSettings(words)).toMatchObject({ ok: false, error: { message: expect.stringContaining(message) } });
});

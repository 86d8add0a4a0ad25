// The cookie of sticky users as the bridge sets it (RFC 6265). Reading cookies stands in client/src/model/cookies.ts. Pure.

import type { Affinity } from "@headgate/core";
import type { ExtraFields } from "./cors.ts";
import { fieldList } from "./response.ts";

/** Browsers take cookies of these names only with Secure, also from a bridge behind a proxy that ends TLS. */
const ALWAYS_SECURE = /^__(?:Secure|Host)-/i;

/** Value of Set-Cookie for a key. `secure`: the request came over TLS. */
export function setCookie({ cookie, maxAgeS }: Affinity, key: string, secure: boolean): string {
  const age = maxAgeS === null ? "" : `; Max-Age=${maxAgeS}`;
  const only = secure || ALWAYS_SECURE.test(cookie) ? "; Secure" : "";
  return `${cookie}=${key}; Path=/; HttpOnly; SameSite=Lax${only}${age}`;
}

/** What an answer adds, with a cookie. */
export function withCookie(extra: ExtraFields | null, value: string): ExtraFields {
  const { list, text } = fieldList(["set-cookie", value]);
  if (extra === null) return { list, text, ownsCors: false };
  return { list: [...extra.list, ...list], text: extra.text + text, ownsCors: extra.ownsCors };
}

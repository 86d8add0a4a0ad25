// A/B with sticky users: two versions of a checkout behind one route, each user on the same one at every visit, and a tenth
// more users on the new one without anybody else noticing: node examples/ab-sticky/main.ts
// Ports come from HEADGATE_HTTP_PORT, HEADGATE_CONTROL_PORT and HEADGATE_ADMIN_PORT (0: any free one), else 8000 to 8002.

import { start } from "headgate";

/** A browser, as far as it is needed here: it keeps the cookie that it is given. */
class Browser {
  cookie = "";

  async visit(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const response = await fetch(url, { headers: this.cookie === "" ? headers : { ...headers, cookie: this.cookie } });
    const [given] = response.headers.getSetCookie();
    if (given !== undefined) this.cookie = given.slice(0, given.indexOf(";"));
    return response.text();
  }
}

const serve = await start();
try {
  await serve.createBackend("one_page", () => "one page");
  await serve.createBackend("three_steps", () => "three steps");
  await serve.createEndpoint("checkout", {
    route: "/checkout",
    traffic: { one_page: 0.9, three_steps: 0.1 },
    affinity: { cookie: "ab", maxAgeS: 30 * 24 * 3600 }, // who comes without the cookie is given one, with a random key
    matches: [{ backend: "three_steps", header: "x-beta", value: "1" }], // testers, whatever their cookie says
    previewHeader: "x-preview", // one request: the backend that it names
  });
  const url = `${serve.httpUrl}/checkout`;

  const users = Array.from({ length: 300 }, () => new Browser());
  const visits = async (): Promise<readonly string[]> => {
    const seen: string[] = [];
    for (const user of users) seen.push(await user.visit(url));
    return seen;
  };
  const on = (seen: readonly string[], page: string): number => seen.filter((text) => text === page).length;

  const first = await visits();
  console.log(`first visit: ${on(first, "one page")} users see one page, ${on(first, "three steps")} see three steps`);
  const second = await visits();
  console.log(`second visit: ${second.filter((text, user) => text !== first[user]).length} users see another version than before`);

  // The key in the cookie decides, and anybody can ask where it leads.
  const key = users[0]?.cookie.slice("ab=".length) ?? "";
  console.log(`the first user sees ${first[0]}: whichBackend says ${await serve.whichBackend("checkout", key)}`);

  await serve.setTraffic("checkout", { one_page: 0.8, three_steps: 0.2 });
  const third = await visits();
  const moved = third.flatMap((text, user) => (text === second[user] ? [] : [`${second[user]} → ${text}`]));
  console.log(`from 10 % to 20 %: ${moved.length} users move, each ${[...new Set(moved)].join(" and ")}`);

  const tester = new Browser();
  console.log("a tester:", await tester.visit(url, { "x-beta": "1" }));
  console.log("a preview:", await tester.visit(url, { "x-preview": "one_page" }));
} finally {
  await serve.close();
}

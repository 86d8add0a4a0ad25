// Composition: handlers that call other endpoints, and what goes along: types, deadline, cancellation, id, trace, shadow, streams.

import { afterAll, expect, test } from "@jest/globals";
import { startInstance } from "../support/instance.ts";

const instance = await startInstance({
  files: {
    "app.ts": `
      export async function front(request) {
        const said = await request.handle("back").call({ text: "hi" });
        return { said, id: request.requestId };
      }
      export async function back(request) {
        return { got: await request.json(), id: request.requestId };
      }
    `,
  },
});
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
for (const name of ["front", "back"]) {
  await serve.createBackend(name, `./app.ts#${name}`);
  await serve.createEndpoint(name, { backend: name, route: `/${name}`, methods: ["GET", "POST"] });
}
test("a handler calls another endpoint and gets back what its handler returned, under the same request id", async () => {
  const response = await instance.fetch("/front", { headers: { "x-request-id": "from-the-caller" } });
  expect(await response.json()).toEqual({ said: { got: { text: "hi" }, id: "from-the-caller" }, id: "from-the-caller" });
  expect(await serve.handle("back").call([1])).toMatchObject({ got: [1] });
});

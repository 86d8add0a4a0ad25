// A preview header: who sends it chooses a backend of the traffic, weight 0 included, before anyone else gets there.

import { afterAll, expect, test } from "@jest/globals";
import { problem, startInstance } from "../support/instance.ts";

const instance = await startInstance();
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;
await serve.createBackend("blue", (request: Request) => `blue ${request.headers.get("x-preview")}`);
await serve.createBackend("green", (request: Request) => `green ${request.headers.get("x-preview")}`);
await serve.createBackend("red", () => "red");
await serve.createEndpoint("release", { traffic: { blue: 1, green: 0 }, route: "/release", previewHeader: "X-Preview" });

const ask = (preview: string) => instance.fetch("/release", { headers: { "x-preview": preview } });

test("a backend at weight 0 runs, gets nothing by the split, and answers who asks for it; the header is not handed on", async () => {
  expect(await instance.replicaPids("green")).toHaveLength(1);
  for (let request = 0; request < 10; request += 1) expect(await instance.text("/release")).toBe("blue null");
  for (let request = 0; request < 3; request += 1) expect(await (await ask("green")).text()).toBe("green null");
  expect(await (await ask("blue")).text()).toBe("blue null");
});

test("a name that is no backend of the traffic is refused with 400, and the refusal says so and names none", async () => {
  for (const name of ["red", "nobody", "", "blue, green"]) {
    const response = await ask(name);
    expect(response.status).toBe(400);
    const body = await problem(response);
    expect(body).toMatchObject({ code: "preview_unknown", detail: expect.stringContaining("x-preview") });
    expect(JSON.stringify(body)).not.toMatch(/green|blue/);
  }
  expect((await ask("green")).status).toBe(200);
});

test("without the setting the header is one like any other", async () => {
  await serve.createEndpoint("plain", { traffic: { blue: 1, green: 0 }, route: "/plain" });
  expect(await instance.text("/plain", { headers: { "x-preview": "green" } })).toBe("blue green");
});

test("a preview works while traffic moves over, and ends with its setting", async () => {
  await serve.setTraffic("release", { blue: 0, green: 1 });
  expect(await instance.text("/release")).toBe("green null");
  expect(await (await ask("blue")).text()).toBe("blue null");
  expect((await serve.updateEndpoint("release", { previewHeader: null })).previewHeader).toBeNull();
  expect(await (await ask("blue")).text()).toBe("green blue");
});

test("a header that handlers need cannot be a preview header", async () => {
  await expect(serve.updateEndpoint("release", { previewHeader: "Host" })).rejects.toMatchObject({
    code: "invalid_argument",
    details: { field: "previewHeader" },
  });
});

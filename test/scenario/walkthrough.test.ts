// The first five minutes, as the example program shows them: run as a user runs it, against free ports.

import { expect, test } from "@jest/globals";
import { runExample } from "../support/example.ts";

test("the walk-through prints what it promises and ends its instance", async () => {
  const { code, stdout, stderr } = await runExample("walkthrough.ts");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const said = stdout.replaceAll(/\s+/g, " ");
  const shape = "{ acceptsBatches: false, numReplicas: 1, maxBatchSize: null }";
  expect(said).toContain(`backends { simple_backend: ${shape}, simple_backend_class: ${shape} }`);
  expect(said).toContain("GET /simple: hello ");
  expect(said).toContain("endpoints { simple_endpoint: { route: '/simple', methods: [ 'GET' ], traffic: { simple_backend: 1 } } }");
  const [, counts = ""] = /0\.1: (\{.*?\})/.exec(said) ?? [];
  const [first, second] = [/ hello: (\d+)/, /'hello, world!': (\d+)/].map((count) => count.exec(counts)?.[1]);
  expect(Number(first) + Number(second)).toBe(100);
  expect(Math.abs(Number(second) - 10)).toBeLessThanOrEqual(2);
  expect(said).toMatch(/by a handle, without HTTP: hello/);
  expect(said).toMatch(/refused \(backend_in_use\): .*"simple_backend".*"simple_endpoint"/);
  expect(said).toContain("backends that are left: [ 'simple_backend_class' ]");
});

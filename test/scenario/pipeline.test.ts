// The composed pipeline, as the example program shows it: run as a user runs it, against free ports.

import { expect, test } from "@jest/globals";
import { runExample } from "../support/example.ts";

test("the pipeline example streams what its steps found, over HTTP and to a program, and ends its instance", async () => {
  const { code, stdout, stderr } = await runExample("pipeline/main.ts");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(
    [
      "over HTTP (application/x-ndjson):",
      '{"sentence":"What a wonderful morning!","sentiment":1,"keywords":["wonderful","morning"]}',
      '{"sentence":"The rain was bad.","sentiment":-0.75,"keywords":["rain","the"]}',
      '{"sentence":"We had good coffee, and nobody complained.","sentiment":0.5,"keywords":["complained","coffee"]}',
      "from a program, typed by the handler:",
      "1 wonderful, morning",
      "-0.75 rain, the",
      "0.5 complained, coffee",
      "",
    ].join("\n"),
  );
});

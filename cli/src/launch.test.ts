import { expect, test } from "@jest/globals";
import { controllerFlags, launchController } from "./launch.ts";

test("only what is asked for is said to the controller, so that its environment and defaults hold for the rest", () => {
  expect(controllerFlags({}, "/s", "/r")).toEqual(["--state-dir", "/s", "--root", "/r", "--lifeline"]);
  expect(controllerFlags({ httpPort: 0, bridges: 2, detached: true }, "/s", "/r")).toEqual([
    "--state-dir",
    "/s",
    "--root",
    "/r",
    "--http-port",
    "0",
    "--bridges",
    "2",
  ]);
});

test("an option that does not exist is refused by name", async () => {
  const options: object = { port: 80 };
  await expect(launchController(options, { env: {}, cwd: "/" })).rejects.toMatchObject({
    code: "unknown_field",
    details: { field: "port" },
  });
});

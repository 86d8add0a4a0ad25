import { expect, test } from "@jest/globals";
import { planDev } from "./dev-plan.ts";

test("the default export answers everywhere that no other does, the others at their names", () => {
  const { endpoints, backends } = planDev("app.ts", ["default", "predict"]);
  expect(endpoints.map(({ name, route }) => [name, route])).toEqual([
    ["default", "/*"],
    ["predict", "/predict"],
  ]);
  expect(backends.map(({ handler }) => handler)).toMatchObject([{ path: "app.ts", exportName: "default" }, { exportName: "predict" }]);
});

test("an export whose name no backend can have is left out and told", () => {
  expect(planDev("app.ts", ["_helper", "ok", "$x"])).toMatchObject({ skipped: ["_helper", "$x"], backends: [{ name: "ok" }] });
});

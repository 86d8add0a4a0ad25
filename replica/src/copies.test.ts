// Copies for shadows beside requests in one replica, which several bridges send to.
import { expect, test } from "@jest/globals";
import { HeadgateError } from "@headgate/core";
import { TestBridge, startReplica, until } from "./testing/bridge.ts";

test("a copy of one bridge is given up for a request of another, which gets its place when its handler has settled", async () => {
  const gate = Promise.withResolvers<void>();
  const reasons: string[] = [];
  await using replica = await startReplica(
    async ({ method, signal }) => {
      if (method === "POST") return "request";
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      if (signal.reason instanceof HeadgateError) reasons.push(signal.reason.code);
      await gate.promise;
      throw signal.reason;
    },
    { limits: { maxConcurrentQueries: 2 } },
  );
  const [copying, asking] = [new TestBridge(replica.address), new TestBridge(replica.address)];
  const copies = [copying.open({ shadow: true }), copying.open({ shadow: true })];
  await until(() => replica.runner.load.inFlight === 2);

  // A copy makes no room for another one.
  const third = copying.open({ shadow: true });
  await until(() => copying.reply(third).ended);
  expect([copying.reply(third).fault, reasons]).toEqual(["replica_busy", []]);

  const refused = asking.open({ method: "POST" });
  await until(() => asking.reply(refused).ended && copies.some((id) => copying.reply(id).ended));
  expect(asking.reply(refused).fault).toBe("replica_busy");
  // The oldest, and no other.
  expect(copies.map((id) => copying.reply(id).fault)).toEqual(["replica_busy", ""]);
  await until(() => reasons.length === 1);
  expect([reasons, asking.places]).toEqual([["cancelled"], 0]);

  gate.resolve();
  await until(() => asking.places > 0);
  const again = asking.open({ method: "POST" });
  await until(() => asking.reply(again).ended);
  expect([asking.text(again), replica.logged]).toEqual(["request", []]);
  copying.close();
  asking.close();
});

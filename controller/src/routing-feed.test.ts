// How tables are numbered, handed on and acknowledged.

import { beforeEach, expect, jest, test } from "@jest/globals";
import type { Projection } from "./model/routing.ts";
import { RoutingFeed } from "./routing-feed.ts";

const table = (revision: number, ...ids: readonly string[]): Projection => ({
  revision,
  endpoints: [],
  backends: [
    {
      name: "b",
      maxConcurrentQueries: 1,
      maxQueuedRequests: 1,
      replicas: ids.map((id) => ({ id, address: `unix:/${id}`, transport: "session" })),
    },
  ],
});
const numbered = (incarnation: number, counter: number): bigint => (BigInt(incarnation) << 32n) + BigInt(counter);

let feed: RoutingFeed;
let changes: jest.Mock<() => void>;
beforeEach(() => {
  changes = jest.fn<() => void>();
  feed = new RoutingFeed("epoch", 3, changes);
});

async function next(outbox: ReturnType<RoutingFeed["subscribe"]>): Promise<bigint> {
  for await (const { kind } of outbox) return kind?.$case === "table" ? kind.value.sequence : -1n;
  return 0n;
}

test("sequences grow with each table, and beyond all of an earlier controller", async () => {
  feed.publish(table(1, "r1"));
  expect(await next(feed.subscribe())).toBe(numbered(3, 1));
  expect(numbered(3, 1)).toBeGreaterThan(numbered(2, 4_000_000_000));
});

test("the same table again is no new one", async () => {
  feed.publish(table(1, "r1"));
  feed.publish(table(1, "r1"));
  expect(await next(feed.subscribe())).toBe(numbered(3, 1));
});

test("a slow receiver gets the newest table and none between", async () => {
  const outbox = feed.subscribe();
  for (let revision = 1; revision <= 5; revision++) feed.publish(table(revision, "r1"));
  expect(await next(outbox)).toBe(numbered(3, 5));
});

test("a revision is in force when every bridge that serves has acknowledged it or a later one", () => {
  feed.expect("one", true);
  feed.expect("two", true);
  feed.publish(table(1, "r1"));
  feed.publish(table(2, "r1", "r2"));
  feed.ack("one", "epoch", numbered(3, 2));
  feed.ack("two", "epoch", numbered(3, 1));
  expect([feed.atRevision(1), feed.atRevision(2)]).toEqual([true, false]);
  expect([feed.inForce("r1"), feed.inForce("r2")]).toEqual([true, false]);
  expect(feed.silent).toEqual(["two"]);
  feed.ack("two", "epoch", numbered(3, 2));
  expect([feed.atRevision(2), feed.inForce("r2")]).toEqual([true, true]);
});

test("a bridge that has died is not waited for, one that has not served yet neither", () => {
  feed.expect("serving", true);
  feed.expect("new", false);
  feed.publish(table(1, "r1"));
  expect(feed.atRevision(1)).toBe(false);
  feed.forget("serving");
  expect(feed.atRevision(1)).toBe(true);
  expect(changes).toHaveBeenCalled();
});

test("a replica that has left the table may be sent to until every bridge has a table without it", () => {
  feed.expect("one", true);
  feed.publish(table(1, "r1", "r2"));
  feed.ack("one", "epoch", numbered(3, 1));
  feed.publish(table(2, "r2"));
  expect(feed.mayBeSentTo("r1")).toBe(true);
  feed.ack("one", "epoch", numbered(3, 2));
  expect(feed.mayBeSentTo("r1")).toBe(false);
});

test("what an adopted bridge runs is not known until it says so", () => {
  feed.expect("adopted", true);
  feed.publish(table(1, "r2"));
  expect([feed.mayBeSentTo("r1"), feed.inForce("r2")]).toEqual([true, false]);
  feed.ack("adopted", "another epoch", numbered(3, 1));
  expect(feed.inForce("r2")).toBe(false);
  feed.ack("adopted", "epoch", numbered(3, 1));
  expect([feed.mayBeSentTo("r1"), feed.inForce("r2")]).toEqual([false, true]);
});

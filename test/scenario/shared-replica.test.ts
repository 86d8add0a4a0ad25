// One replica behind three bridges and a program's handles: its limit holds strictly, everybody is served in turn and in order.

import { Agent, request } from "node:http";
import { afterAll, expect, test } from "@jest/globals";
import type { HandlerRequest } from "headgate";
import { GATE_FILES, entered, openGate } from "../support/gate.ts";
import { startInstance, waitFor } from "../support/instance.ts";

const instance = await startInstance({ files: GATE_FILES, bridges: 3 });
afterAll(() => instance[Symbol.asyncDispose]());
const { serve } = instance;

/** Counts by itself how many of its requests run at the same time. */
class Counting {
  now = 0;
  most = 0;
  served = 0;
  async handle(asked: HandlerRequest): Promise<unknown> {
    if (asked.url.endsWith("?most")) return { most: this.most, served: this.served };
    this.now += 1;
    this.most = Math.max(this.most, this.now);
    await new Promise((done) => setTimeout(done, 3));
    this.now -= 1;
    this.served += 1;
    return { place: this.served };
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** What tells bridges apart: the ids that a bridge gives begin alike. */
  readonly bridge: string;
}

/** A connection of its own, and so to the same bridge at each request. */
class Lane {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  ask(path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(`${serve.httpUrl}${path}`, { agent: this.#agent }, (response) => {
        let body = "";
        response.on("data", (piece: Buffer) => (body += piece.toString()));
        response.on("end", () => {
          const id = String(response.headers["x-request-id"]);
          resolve({ status: response.statusCode ?? 0, body, bridge: id.slice(0, id.lastIndexOf("-")) });
        });
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** As many lanes to each of the three bridges. The system decides which bridge a connection goes to, so that some are closed again. */
async function lanesToEachBridge(path: string, each: number): Promise<Lane[]> {
  const lanes = new Map<string, Lane[]>();
  for (let tries = 0; tries < 500; tries++) {
    const lane = new Lane();
    const { bridge } = await lane.ask(path);
    const own = lanes.get(bridge) ?? [];
    lanes.set(bridge, own);
    if (own.length < each) own.push(lane);
    else lane.close();
    if (lanes.size === 3 && [...lanes.values()].every(({ length }) => length === each)) return [...lanes.values()].flat();
  }
  throw new Error("no connection came to one of the bridges");
}

async function countingBackend(name: string, maxConcurrentQueries: number): Promise<void> {
  await serve.createBackend({ name, handler: Counting, config: { maxConcurrentQueries } });
  await serve.createEndpoint(name, { backend: name, route: `/${name}` });
}

test.each([1, 3])("with three bridges and handles a replica never runs more than its maxConcurrentQueries of %i", async (limit) => {
  const name = `strict-${limit}`;
  await countingBackend(name, limit);
  const lanes = await lanesToEachBridge(`/${name}`, 8);
  try {
    const handle = serve.handle(name);
    const byLanes = lanes.map(async (lane) => {
      const seen: number[] = [];
      for (let i = 0; i < 15; i++) seen.push((await lane.ask(`/${name}`)).status);
      return seen;
    });
    const byHandle = Array.from({ length: 60 }, async () => [(await handle.send()).status]);
    const statuses = (await Promise.all([...byLanes, ...byHandle])).flat();
    expect(statuses).toEqual(Array.from({ length: 24 * 15 + 60 }, () => 200));
    // All of its load was there at the same time, so that the limit was reached.
    expect(JSON.parse(await instance.text(`/${name}?most`))).toMatchObject({ most: limit });
  } finally {
    for (const lane of lanes) lane.close();
  }
});

test("of a single place each of three bridges that always have more to send gets its turn", async () => {
  await countingBackend("turns", 1);
  const lanes = await lanesToEachBridge("/turns", 4);
  try {
    const turns: string[] = [];
    await Promise.all(
      lanes.map(async (lane) => {
        while (turns.length < 300) {
          const { status, bridge } = await lane.ask("/turns");
          expect(status).toBe(200);
          turns.push(bridge);
        }
      }),
    );
    const shares = Object.values(Object.groupBy(turns.slice(0, 300), (bridge) => bridge)).map((own) => own?.length ?? 0);
    expect(shares).toHaveLength(3);
    for (const share of shares) expect(share).toBeGreaterThan(300 / 3 / 2);
  } finally {
    for (const lane of lanes) lane.close();
  }
});

test("who came first at a bridge or handle is served first, however often others have the place", async () => {
  await countingBackend("order", 1);
  const lanes = await lanesToEachBridge("/order", 2);
  let busy = true;
  try {
    const others = lanes.map(async (lane) => {
      while (busy) await lane.ask("/order");
    });
    const handle = serve.handle("order");
    const places = await Promise.all(
      Array.from({ length: 40 }, async () => {
        // The handler's own answer, as it wrote it.
        const { place } = (await (await handle.send()).json()) as { place: number };
        return place;
      }),
    );
    busy = false;
    await Promise.all(others);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    // The others had their turns in between.
    expect((places.at(-1) ?? 0) - (places[0] ?? 0)).toBeGreaterThan(places.length);
  } finally {
    busy = false;
    for (const lane of lanes) lane.close();
  }
});

test("a body that is sent as it comes to a busy replica is not lost: it is sent again when there is room", async () => {
  await serve.createBackend({ name: "intake", handler: "./gate.ts#intake", config: { maxConcurrentQueries: 1 } });
  await serve.createEndpoint("intake", { backend: "intake", route: "/intake", methods: ["GET", "POST"] });
  // A handle has the place, of which no bridge knows.
  const first = serve.handle("intake").send(undefined, { path: "/intake?gate=intake" });
  await entered(instance, "intake");
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < 15; i++) controller.enqueue(new Uint8Array(10_000).fill(65 + i));
      controller.close();
    },
  });
  const second = instance.fetch("/intake", { method: "POST", body, duplex: "half" });
  await waitFor("the request in its bridge", async () => (await serve.status()).bridges.some(({ inFlight }) => inFlight > 0));
  await openGate(instance, "intake");
  expect((await first).status).toBe(200);
  const answer = await second;
  expect([answer.status, await answer.text()]).toEqual([200, "150000 ABCDEFGHIJKLMNO"]);
});

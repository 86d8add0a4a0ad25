// A handler that notes what happens to its requests and tells it: what scenarios about streams, cancels and deadlines look at.
// Give OBSERVED_FILES to startInstance and name "./observed.ts#Observed" with OBSERVED_METHODS; one replica, so that one process notes all.

import { type TestInstance, waitFor } from "./instance.ts";

export const OBSERVED_METHODS = ["handle", "notes"];

/** What one request did, by its id. */
export interface Note {
  /** The handler was called. */
  readonly begun?: boolean;
  /** Bytes that it has yielded or read. */
  readonly bytes?: number;
  /** Code of its signal's reason, and when it aborted, in milliseconds since the Unix epoch. */
  readonly aborted?: string;
  readonly abortedAt?: number;
  /** The handler, or its generator, has come to its end. */
  readonly ended?: boolean;
  /** What reading the body rejected with. */
  readonly bodyError?: string;
}

/** What the replica's process holds. */
export interface Notes {
  readonly byId: Readonly<Record<string, Note>>;
  /** Timers, sockets and the like that keep the process, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

export const OBSERVED_FILES: Readonly<Record<string, string>> = {
  "observed.ts": `
    const later = (ms) => new Promise((done) => setTimeout(done, ms));
    const forever = (signal) => new Promise((done) => signal.addEventListener("abort", () => done()));

    export class Observed {
      #notes = {};
      #note(request) {
        const note = (this.#notes[request.requestId] = { begun: true, bytes: 0 });
        request.signal.addEventListener("abort", () => {
          note.aborted = request.signal.reason?.code ?? "other";
          note.abortedAt = Date.now();
        });
        return note;
      }
      notes() {
        const resources = {};
        for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
        return { byId: this.#notes, resources };
      }
      handle(request) {
        const { searchParams } = new URL(request.url);
        const note = this.#note(request);
        switch (request.params["*"]) {
          case "hold":
            return forever(request.signal).finally(() => (note.ended = true));
          case "stubborn":
            return later(Number(searchParams.get("ms"))).finally(() => (note.ended = true));
          case "endless":
            return this.#endless(note);
          case "ticks":
            return this.#ticks(note, Number(searchParams.get("ms")));
          case "read":
            return this.#read(request, note);
          case "unread":
            return forever(request.signal).finally(() => (note.ended = true));
          case "remaining":
            return { remainingMs: request.remainingMs };
          default:
            return "no such thing";
        }
      }
      async *#endless(note) {
        const piece = new Uint8Array(16 * 1024);
        try {
          for (;;) {
            note.bytes += piece.length;
            yield piece;
            await Promise.resolve();
          }
        } finally {
          note.ended = true;
        }
      }
      async *#ticks(note, ms) {
        try {
          for (let tick = 0; ; tick++) {
            yield "tick " + tick + "\\n";
            await later(ms);
          }
        } finally {
          note.ended = true;
        }
      }
      async #read(request, note) {
        try {
          for await (const piece of request.body) note.bytes += piece.length;
          return String(note.bytes);
        } catch (error) {
          note.bodyError = error.code ?? "other";
          throw error;
        } finally {
          note.ended = true;
        }
      }
    }

    export async function batch(requests, { signal }) {
      const notes = (globalThis.batches ??= []);
      const note = { ids: requests.map(({ requestId }) => requestId), aborted: [], batchAborted: false };
      notes.push(note);
      for (const request of requests) request.signal.addEventListener("abort", () => note.aborted.push(request.requestId));
      signal.addEventListener("abort", () => (note.batchAborted = true));
      if (requests.some(({ url }) => url.includes("hold"))) await Promise.race([forever(signal), later(30_000)]);
      return requests.map(({ url }) => (url.includes("notes") ? notes : "done"));
    }
    batch.acceptsBatches = true;
  `,
};

/** Makes the backend "observed" behind /observed/* and a headless endpoint for its notes. */
export async function observe(instance: TestInstance, config: object = {}): Promise<void> {
  const { serve } = instance;
  await serve.createBackend({
    name: "observed",
    handler: "./observed.ts#Observed",
    config: { methods: OBSERVED_METHODS, maxConcurrentQueries: 5_000, ...config },
  });
  await serve.createEndpoint("observed", { backend: "observed", route: "/observed/*", methods: ["GET", "POST"] });
}

/** What has been noted so far. */
export async function notesOf(instance: TestInstance): Promise<Notes> {
  // As the handler above answers.
  return (await instance.serve.handle("observed", { method: "notes" }).call()) as Notes;
}

/** Resolves with a request's note when it is as wanted. */
export function noted(instance: TestInstance, what: string, id: string, wanted: (note: Note) => boolean): Promise<Note> {
  return waitFor(`${what} of ${id}`, async () => {
    const note = (await notesOf(instance)).byId[id];
    return note !== undefined && wanted(note) ? note : null;
  });
}

/** Requests that run or wait, as the instance's status has them: in replicas and in bridges. */
export async function inFlight(instance: TestInstance): Promise<number> {
  const { replicas, bridges } = await instance.serve.status();
  return [...replicas, ...bridges].reduce((sum, one) => sum + one.inFlight, 0);
}

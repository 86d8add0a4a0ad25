// For tests: a replica's server on a real socket, and a bridge's side of a session that says exactly what a test wants.
// Nothing of routing or retries, and no process.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_BACKEND_CONFIG, type HandlerRequest } from "@headgate/core";
import { type CancelReason, HeaderMemo, WireWriter, readSessionResponse, writeRequestOpen, writeRequestRest } from "@headgate/proto/wire";
import { type GrpcStream, openStream } from "@headgate/rpc/stream";
import { Composition } from "../compose.ts";
import { describeException } from "../exception.ts";
import type { HandlerMethod } from "../handler.ts";
import { Runner, type RunnerLimits } from "../runner.ts";
import { serveReplica } from "../server.ts";

/** What came back for one request. */
export interface Reply {
  status: number;
  headers: readonly string[];
  readonly pieces: Buffer[];
  trailers: readonly string[];
  /** Code of the fault; empty: none. */
  fault: string;
  ended: boolean;
  /** Credit for the request's body. */
  credit: number;
}

export interface RequestOptions {
  readonly method?: string;
  readonly callMethod?: string;
  readonly timeoutMs?: number;
  readonly body?: Buffer;
  /** The backends whose handlers it was made by; that of the replica is called "test". */
  readonly via?: readonly string[];
  readonly secure?: boolean;
  readonly shadow?: boolean;
  /** False: more of the body follows. */
  readonly end?: boolean;
}

/** A bridge's side of a session. */
export class TestBridge {
  readonly replies = new Map<number, Reply>();
  frames = 0;
  /** Places that the replica has kept for it. */
  places = 0;
  closed = false;
  readonly #stream: GrpcStream;
  #nextId = 1;

  constructor(address: string) {
    const memo = new HeaderMemo();
    this.#stream = openStream(
      address,
      { path: "/headgate.v1.ReplicaService/Session" },
      {
        message: (message) =>
          readSessionResponse(
            message,
            {
              frame: (id, status, headers, body, end, fault, credit, trailers) => {
                const reply = this.reply(id);
                this.frames++;
                if (status !== 0) Object.assign(reply, { status, headers });
                if (body !== null) reply.pieces.push(Buffer.from(body));
                if (trailers.length > 0) reply.trailers = trailers;
                if (fault !== null) reply.fault = fault.code;
                reply.credit += credit;
                if (end || fault !== null) reply.ended = true;
              },
              draining: () => undefined,
              pong: () => undefined,
              room: (places) => {
                this.places += places;
              },
            },
            memo,
          ),
        end: () => {
          this.closed = true;
        },
      },
    );
  }

  reply(id: number): Reply {
    let reply = this.replies.get(id);
    if (reply === undefined) {
      reply = { status: 0, headers: [], pieces: [], trailers: [], fault: "", ended: false, credit: 0 };
      this.replies.set(id, reply);
    }
    return reply;
  }

  text(id: number): string {
    return Buffer.concat(this.reply(id).pieces).toString();
  }

  /** Sends a request; returns its number. */
  open({
    method = "GET",
    callMethod = "",
    timeoutMs = 60_000,
    body,
    via = [],
    secure = false,
    shadow = false,
    end = true,
  }: RequestOptions = {}): number {
    const id = this.#nextId++;
    const requestId = `r-${id}`;
    const head = { endpoint: "e", method, target: "/", headers: [], params: [], timeoutMs, callMethod, requestId };
    this.#say((writer) => writeRequestOpen(writer, id, { ...head, shadow, websocket: false, via, secure }, body ?? null, end));
    return id;
  }

  body(id: number, piece: Buffer | null, end: boolean, trailers: readonly string[] = []): void {
    this.#say((writer) => writeRequestRest(writer, id, piece, end, null, 0, trailers));
  }

  cancel(id: number, reason: CancelReason = "cancelled"): void {
    this.#say((writer) => writeRequestRest(writer, id, null, false, reason, 0));
  }

  grant(id: number, credit: number): void {
    this.#say((writer) => writeRequestRest(writer, id, null, false, null, credit));
  }

  close(): void {
    this.#stream.close();
  }

  #say(write: (writer: WireWriter) => void): void {
    const writer = new WireWriter();
    const mark = writer.openGrpc();
    write(writer);
    writer.closeGrpc(mark);
    this.#stream.sendPrefixed(writer.take());
  }
}

/** A replica that runs one handler, and what it has logged. */
export interface TestReplica extends AsyncDisposable {
  readonly address: string;
  readonly runner: Runner;
  readonly logged: unknown[];
}

export interface ReplicaOptions {
  readonly limits?: Partial<RunnerLimits>;
  readonly batches?: boolean;
}

/** Serves a handler, or several by method. */
export async function startReplica(
  handlers: Readonly<Record<string, HandlerMethod>> | ((request: HandlerRequest) => unknown),
  { limits = {}, batches = false }: ReplicaOptions = {},
): Promise<TestReplica> {
  const directory = mkdtempSync(join(tmpdir(), "headgate-replica-"));
  const logged: unknown[] = [];
  // What a runner hands to a handler is a HandlerRequest.
  const methods = typeof handlers === "function" ? { handle: handlers as HandlerMethod } : handlers;
  const runner = new Runner(
    {
      acceptsBatches: batches,
      methods: Object.keys(methods),
      method: (name) => methods[name],
      reconfigure: () => Promise.resolve(),
      dispose: () => Promise.resolve(),
    },
    { ...DEFAULT_BACKEND_CONFIG, maxConcurrentQueries: 10_000, ...limits },
    {
      info: () => undefined,
      error: () => undefined,
      exception: (_msg, _id, error) => {
        describeException(error, "");
        logged.push(error);
      },
    },
    new Composition({ controlAddress: "", routingToken: "", backend: "test" }),
  );
  const address = `unix:${join(directory, "r.sock")}`;
  const server = await serveReplica(address, runner);
  return {
    address,
    runner,
    logged,
    [Symbol.asyncDispose]: async () => {
      await server.finish(0);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves when the probe says true; rejects after a generous bound. */
export async function until(what: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!what()) {
    if (Date.now() > end) throw new Error("waited in vain");
    await new Promise((done) => setTimeout(done, 2));
  }
}

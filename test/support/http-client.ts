// One way to ask over HTTP/1.1 and over HTTP/2, for scenarios that hold for both: fields as they come, answers whole.

import { type IncomingMessage, request } from "node:http";
import { askHttp2, openHttp2 } from "./http2.ts";

/** A protocol. */
export type Protocol = "HTTP/1.1" | "HTTP/2";

/** What is asked. */
export interface Question {
  readonly method?: string;
  readonly path: string;
  /** Names and values in turn. */
  readonly fields?: readonly string[];
  readonly body?: string;
  /** Fields to follow the body. */
  readonly trailers?: Readonly<Record<string, string>>;
}

/** What came back. */
export interface Answer {
  /** 0: none. */
  readonly status: number;
  /** The first value of a field; null: there is none. */
  readonly field: (name: string) => string | null;
  /** All values of a field. */
  readonly all: (name: string) => readonly string[];
  readonly body: string;
  readonly trailers: Readonly<Record<string, unknown>>;
  /** Statuses of answers before this one, such as 100. */
  readonly before: readonly number[];
  /** Whether the answer came to its end. */
  readonly whole: boolean;
}

function ask1(url: string, { method = "GET", path, fields = [], body, trailers }: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const before: number[] = [];
    const done = (response: IncomingMessage | null, text: string): void => {
      const raw = response?.rawHeaders ?? [];
      const all = (name: string): string[] =>
        raw.flatMap((text, i) => (i % 2 === 0 && text.toLowerCase() === name ? [raw[i + 1] ?? ""] : []));
      resolve({
        status: response?.statusCode ?? 0,
        field: (name) => all(name)[0] ?? null,
        all,
        body: text,
        trailers: response?.trailers ?? {},
        before,
        whole: response?.complete ?? false,
      });
    };
    const { hostname, port } = new URL(url);
    const headers = ["host", `${hostname}:${port}`, ...fields];
    if (trailers !== undefined) headers.push("trailer", Object.keys(trailers).join(", "), "transfer-encoding", "chunked");
    else if (body !== undefined && !fields.includes("transfer-encoding") && !fields.includes("content-length"))
      headers.push("content-length", String(Buffer.byteLength(body)));
    const asked = request({ hostname, port, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (piece: Buffer) => (text += piece.toString("latin1")));
      response.on("error", () => undefined);
      response.on("close", () => done(response, text));
    });
    asked.on("information", ({ statusCode }) => before.push(statusCode));
    asked.on("error", () => done(null, ""));
    const waits = fields.includes("100-continue");
    if (trailers !== undefined) asked.addTrailers(trailers);
    if (waits) asked.on("continue", () => asked.end(body));
    else asked.end(body);
  });
}

async function ask2(url: string, { method = "GET", path, fields = [], body, trailers }: Question): Promise<Answer> {
  await using client = openHttp2(url);
  const headers: Record<string, string[]> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) (headers[fields[i] ?? ""] ??= []).push(fields[i + 1] ?? "");
  const head = method === "CONNECT" ? { ":method": method, ":authority": path } : { ":method": method, ":path": path };
  const answer = await askHttp2(client.session, { ...head, ...headers }, body, trailers);
  const all = (name: string): readonly string[] => {
    const value = answer.headers[name];
    return value === undefined ? [] : Array.isArray(value) ? value : [String(value)];
  };
  return {
    status: answer.status,
    field: (name) => all(name)[0] ?? null,
    all,
    body: answer.body,
    trailers: answer.trailers,
    before: answer.before,
    whole: answer.code === 0 && answer.status !== 0,
  };
}

/** Asks over a protocol, on a connection of its own. */
export function ask(protocol: Protocol, urls: Readonly<Record<Protocol, string>>, question: Question): Promise<Answer> {
  return protocol === "HTTP/1.1" ? ask1(urls[protocol], question) : ask2(urls[protocol], question);
}

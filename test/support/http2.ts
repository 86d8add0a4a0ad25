// Requests over HTTP/2 for scenarios: Node's client, with the whole answer in one value. What no client would send is made of
// frames by hand elsewhere.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
  connect,
} from "node:http2";

/** An answer over HTTP/2. */
export interface Http2Answer {
  readonly status: number;
  /** Names in lower case; a field that came several times has them joined, Set-Cookie has a list. */
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
  /** Statuses of answers before this one, such as 100. */
  readonly before: readonly number[];
  /** How the stream was closed; 0: in good order. */
  readonly code: number;
}

/** A connection that is closed when disposed of. */
export function openHttp2(url: string, ca?: string): AsyncDisposable & { readonly session: ClientHttp2Session } {
  const session = connect(url, ca === undefined ? {} : { ca });
  // A connection that the server ends is one of the answers that are looked at.
  session.on("error", () => undefined);
  return {
    session,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        if (session.destroyed) resolve();
        else {
          session.once("close", () => resolve());
          session.destroy();
        }
      }),
  };
}

/** Reads an answer to its end. */
export function readHttp2(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve) => {
    let headers: Http2Answer["headers"] = {};
    let trailers: Http2Answer["trailers"] = {};
    const pieces: Buffer[] = [];
    const before: number[] = [];
    stream.on("headers", (fields) => before.push(Number(fields[":status"])));
    stream.on("response", (fields) => {
      headers = fields;
    });
    stream.on("trailers", (fields) => {
      trailers = fields;
    });
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("error", () => undefined);
    stream.on("close", () =>
      resolve({
        status: Number(headers[":status"] ?? 0),
        headers,
        trailers,
        before,
        body: Buffer.concat(pieces).toString("latin1"),
        code: stream.rstCode ?? 0,
      }),
    );
  });
}

/** Asks on a connection. With `expect: 100-continue` the body is sent once it is asked for. */
export function askHttp2(
  session: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  body?: string | Buffer,
  trailers?: Readonly<Record<string, string>>,
): Promise<Http2Answer> {
  const waitForTrailers = trailers !== undefined;
  const stream = session.request(
    { ":method": body === undefined ? "GET" : "POST", ...fields },
    { endStream: body === undefined, waitForTrailers },
  );
  const answer = readHttp2(stream);
  if (waitForTrailers) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  if (body === undefined) return answer;
  if (fields["expect"] === undefined) stream.end(body);
  else stream.once("continue", () => stream.end(body));
  return answer;
}

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
        body: Buffer.concat(pieces).toString("latin1"),
        code: stream.rstCode ?? 0,
      }),
    );
  });
}

/** Asks on a connection. */
export function askHttp2(session: ClientHttp2Session, fields: OutgoingHttpHeaders, body?: string | Buffer): Promise<Http2Answer> {
  const stream = session.request({ ":method": body === undefined ? "GET" : "POST", ...fields }, { endStream: body === undefined });
  const answer = readHttp2(stream);
  if (body !== undefined) stream.end(body);
  return answer;
}

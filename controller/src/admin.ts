// The admin HTTP server: health for whoever watches the process, and the status for those with the token.
// Host and Origin are checked on every verb, so that a page in a browser on this machine gets nowhere.

import { type IncomingHttpHeaders, type Server, createServer } from "node:http";
import { HeadgateError, fault, FAULTS } from "@headgate/core";
import { GetStatusResponse } from "@headgate/proto/controller";
import { bearerOf, tokenHash, tokenMatches } from "@headgate/rpc";

/** What the server needs. */
export interface AdminParts {
  readonly token: string;
  readonly healthy: () => boolean;
  readonly status: () => GetStatusResponse;
}

const LOCAL_HOST = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d{1,5})?$/i;

/** The server, not listening yet. */
export function createAdminServer(parts: AdminParts): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16 * 1024 }, (req, res) => {
    const answer = (status: number, body: unknown, type = "application/json"): void => {
      const text = `${JSON.stringify(body)}\n`;
      res.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text), "cache-control": "no-store" });
      res.end(req.method === "HEAD" ? undefined : text);
    };
    try {
      answer(200, respond(parts, req.method ?? "", req.url ?? "", req.headers));
    } catch (error) {
      const source = error instanceof HeadgateError ? error : new HeadgateError(fault("internal", "internal error"));
      const { http, title } = FAULTS[source.code];
      answer(
        http,
        { type: `urn:headgate:fault:${source.code}`, title, status: http, detail: source.message, code: source.code },
        "application/problem+json",
      );
    }
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  return server;
}

function respond({ token, healthy, status }: AdminParts, method: string, url: string, headers: IncomingHttpHeaders): unknown {
  if (!LOCAL_HOST.test(headers.host ?? "") || headers.origin !== undefined) {
    throw new HeadgateError(fault("permission_denied", "the admin server answers programs on this machine alone"));
  }
  if (method !== "GET" && method !== "HEAD") throw new HeadgateError(fault("method_not_allowed", "the admin server answers GET alone"));
  switch (url) {
    case "/-/healthz":
      if (!healthy()) throw new HeadgateError(fault("not_ready", "the instance is not ready"));
      return { status: "ok" };
    case "/-/status": {
      const given = bearerOf(headers.authorization);
      if (given === null || !tokenMatches(given, tokenHash(token))) {
        throw new HeadgateError(
          fault("unauthenticated", 'the status needs the header "authorization: Bearer TOKEN" with the control token'),
        );
      }
      return GetStatusResponse.toJSON(status());
    }
    default:
      throw new HeadgateError(fault("route_not_found", "there are /-/healthz and /-/status"));
  }
}

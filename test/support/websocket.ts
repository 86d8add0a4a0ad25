// WebSockets as callers open them: the ws package's client for well-behaved ones. Frames that no client would send are made in
// the tests that send them, over plain sockets.

import type { IncomingHttpHeaders } from "node:http";
import { WebSocket } from "ws";
import { type RawAnswer, readAnswer } from "./raw-http.ts";
import { openSocket } from "./instance.ts";

/** How a connection ended for its caller. 1006: it was cut off. */
export interface Ended {
  readonly code: number;
  readonly reason: string;
}

/** An open WebSocket with what came in on it. */
export interface Talk {
  readonly ws: WebSocket;
  readonly protocol: string;
  /** Fields of the answer to the handshake. */
  readonly headers: IncomingHttpHeaders;
  /** The next message that was not taken yet: text as a string. Rejects where the connection ends first. */
  next(): Promise<string | Buffer>;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<Ended>;
}

/** What a caller may say of a connection. */
export interface TalkOptions {
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** The authority of an https URL's certificate. */
  readonly ca?: string;
}

/** Opens a WebSocket. Rejects where the answer is another one. */
export function openWebSocket(httpUrl: string, path: string, { protocols = [], headers = {}, ca }: TalkOptions = {}): Promise<Talk> {
  const ws = new WebSocket(httpUrl.replace(/^http/, "ws") + path, [...protocols], {
    headers: { ...headers },
    perMessageDeflate: false,
    ...(ca === undefined ? {} : { ca }),
  });
  const messages: (string | Buffer)[] = [];
  const readers: { readonly resolve: (message: string | Buffer) => void; readonly reject: (error: Error) => void }[] = [];
  ws.on("message", (data: Buffer, binary) => {
    const message = binary ? data : data.toString();
    const reader = readers.shift();
    if (reader === undefined) messages.push(message);
    else reader.resolve(message);
  });
  const closed = new Promise<Ended>((resolve) => {
    ws.on("close", (code, reason) => {
      resolve({ code, reason: reason.toString() });
      for (const { reject } of readers.splice(0)) reject(new Error(`the connection ended with ${code} ${reason.toString()}`));
    });
  });
  const next = (): Promise<string | Buffer> => {
    const message = messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (ws.readyState === WebSocket.CLOSED) return Promise.reject(new Error("the connection has ended"));
    return new Promise((resolve, reject) => readers.push({ resolve, reject }));
  };
  return new Promise((resolve, reject) => {
    let fields: IncomingHttpHeaders = {};
    ws.once("upgrade", (answer) => {
      fields = answer.headers;
    });
    ws.once("open", () => resolve({ ws, protocol: ws.protocol, headers: fields, next, closed }));
    // After the opening an error comes with a close that tells as much.
    ws.on("error", reject);
  });
}

/** The header section of a handshake. */
export function handshakeHead(path: string, fields: readonly string[] = []): string {
  const usual = ["host: headgate", "upgrade: websocket", "connection: Upgrade", "sec-websocket-version: 13"];
  return [`GET ${path} HTTP/1.1`, ...usual, "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", ...fields, "", ""].join("\r\n");
}

/** Asks for a WebSocket and resolves with the HTTP answer, whatever it is. */
export async function askForWebSocket(httpUrl: string, head: string): Promise<RawAnswer> {
  const socket = await openSocket(httpUrl);
  try {
    socket.on("error", () => undefined);
    socket.write(head);
    return await readAnswer(socket);
  } finally {
    socket.destroy();
  }
}

// HTTP at the level of bytes, for what no HTTP client would send: malformed requests, callers that hang up.
// Every well-formed request of the scenarios goes through fetch instead.

import type { Socket } from "node:net";
import { openSocket } from "./instance.ts";

/** What a server sent before it closed or fell silent on a whole answer. */
export interface RawAnswer {
  /** 0 where nothing that looks like an answer came. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** All bytes, as Latin-1. */
  readonly text: string;
}

/** Sends bytes and reads until the server closes or one whole answer with a Content-Length is there. */
export async function askRaw(url: string, bytes: string | Buffer): Promise<RawAnswer> {
  const socket = await openSocket(url);
  try {
    // A server that resets the connection is one of the answers that are looked at.
    socket.on("error", () => undefined);
    socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    return await readAnswer(socket);
  } finally {
    socket.destroy();
  }
}

/** Reads one answer of a connection. */
export function readAnswer(socket: Socket): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let text = "";
    const look = (closed: boolean): void => {
      const answer = parseAnswer(text);
      if (closed || answer.whole) resolve(answer.answer);
    };
    socket.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
      look(false);
    });
    socket.once("close", () => look(true));
  });
}

function parseAnswer(text: string): { readonly whole: boolean; readonly answer: RawAnswer } {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return { whole: false, answer: { status: 0, headers: new Map(), body: "", text } };
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  const body = text.slice(end + 4);
  const length = headers.get("content-length");
  const answer = { status: Number(statusLine.split(" ")[1] ?? 0), headers, body, text };
  return { whole: length !== undefined && body.length >= Number(length), answer };
}

// Server-sent events out of a handler: a Response whose body is a stream of events. What an event is as text stands in
// core/src/event.ts. A replica takes the events as they are (RESPONSE_PIECES); anyone else reads the Response's body.

import { HeadgateError, RESPONSE_PIECES, type ResponsePieces, type ServerSentEvent, encodeEvent, fault } from "@headgate/core";

/** How a stream of events is sent. */
export interface EventStreamOptions {
  /** After so long without an event a comment is sent, in milliseconds, so that proxies between keep the connection; default: never. */
  readonly keepAliveMs?: number;
  /** Further fields of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a stream of events is made of: each a ServerSentEvent, or a string as an event of that data. */
export type EventSource = AsyncIterable<ServerSentEvent | string> | Iterable<ServerSentEvent | string>;

const KEEP_ALIVE = ": keep-alive\n\n";
const LEAST_KEEP_ALIVE_MS = 10;
const MOST_KEEP_ALIVE_MS = 0x7fff_ffff;

/**
 * Answers with server-sent events: `return eventStream(events())`. Its iterator is ended when the caller leaves. Throws
 * invalid_argument for options that cannot be.
 */
export function eventStream(events: EventSource, options: EventStreamOptions = {}): Response {
  const { keepAliveMs, headers = {} } = options;
  if (
    keepAliveMs !== undefined &&
    !(Number.isInteger(keepAliveMs) && keepAliveMs >= LEAST_KEEP_ALIVE_MS && keepAliveMs <= MOST_KEEP_ALIVE_MS)
  ) {
    const message = `keepAliveMs must be a whole number from ${LEAST_KEEP_ALIVE_MS} to ${MOST_KEEP_ALIVE_MS}`;
    throw new HeadgateError(fault("invalid_argument", message, { field: "keepAliveMs" }));
  }
  const source = iteratorOf(events);
  const iterator = keepAliveMs === undefined ? source : new KeptAlive(source, keepAliveMs);
  // Events come from the iterator, keep-alives as text that is one already.
  const encode = (piece: unknown): string => (piece === KEEP_ALIVE ? KEEP_ALIVE : encodeEvent(piece as ServerSentEvent | string));
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const next = await iterator.next();
        if (next.done === true) controller.close();
        else controller.enqueue(encoder.encode(encode(next.value)));
      },
      cancel: async () => {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  const response = new Response(body, { headers: { "cache-control": "no-cache", ...headers, "content-type": "text/event-stream" } });
  const pieces: ResponsePieces = { iterator, encode };
  Object.defineProperty(response, RESPONSE_PIECES, { value: pieces });
  return response;
}

type Events = AsyncIterator<ServerSentEvent | string>;

function iteratorOf(events: EventSource): Events {
  if (Symbol.asyncIterator in events) return events[Symbol.asyncIterator]();
  const plain = events[Symbol.iterator]();
  return {
    next: async () => plain.next(),
    return: async () => plain.return?.() ?? { done: true, value: undefined },
  };
}

/** An iterator with a comment between two events that are far apart. */
class KeptAlive implements Events {
  readonly #source: Events;
  readonly #keepAliveMs: number;
  /** What came of the source's next(): a promise while it is on its way, and until it is handed on. */
  #event: Promise<IteratorResult<ServerSentEvent | string>> | null = null;
  #arrived = false;
  /** Ends the wait of the moment. */
  #wake: () => void = () => undefined;
  #ended = false;

  constructor(source: Events, keepAliveMs: number) {
    this.#source = source;
    this.#keepAliveMs = keepAliveMs;
  }

  async next(): Promise<IteratorResult<ServerSentEvent | string>> {
    if (this.#event === null) this.#ask();
    if (!this.#arrived) await this.#wait();
    if (this.#ended || this.#event === null) return { done: true, value: undefined };
    if (!this.#arrived) return { done: false, value: KEEP_ALIVE };
    const event = this.#event;
    this.#event = null;
    return event;
  }

  async return(): Promise<IteratorResult<ServerSentEvent | string>> {
    this.#ended = true;
    this.#wake();
    return (await this.#source.return?.()) ?? { done: true, value: undefined };
  }

  #ask(): void {
    this.#arrived = false;
    const arrived = (): void => {
      this.#arrived = true;
      this.#wake();
    };
    this.#event = this.#source.next();
    // Whoever asks next gets the event, or what was thrown.
    this.#event.then(arrived, arrived);
  }

  /** Resolves when the event is here, the iterator has ended, or it is time for a comment. */
  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#keepAliveMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

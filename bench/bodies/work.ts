// What the bodies load is about, for every chain alike: the paths, the bytes, and Headgate's handler.

export const PIECE_BYTES = 65_536;
/** Bodies are this byte again and again, as wrk's are. */
export const FILL = "x".charCodeAt(0);

/** What the handler uses of a web-standard Request. */
interface BodyRequest {
  readonly method: string;
  readonly url: string;
  readonly body: ReadableStream<Uint8Array> | null;
}

/**
 * POST: the number of bytes that came, counted as they come. GET `?bytes=N`: that many, as a stream of pieces of 64 KiB, or
 * from a path that ends in "/buffer" as one Buffer. The class travels by its source, so it uses nothing from outside itself.
 */
export class BodiesHandler {
  readonly #piece = Buffer.alloc(65_536, "x");
  readonly #buffers = new Map<number, Buffer>();

  async handle(request: BodyRequest): Promise<unknown> {
    if (request.method === "POST") {
      let bytes = 0;
      for await (const piece of request.body ?? []) bytes += piece.length;
      return { bytes };
    }
    const bytes = Number(/bytes=(\d+)/.exec(request.url)?.[1] ?? 0);
    return request.url.includes("/buffer") ? this.#buffer(bytes) : this.#stream(bytes);
  }

  #buffer(bytes: number): Buffer {
    const made = this.#buffers.get(bytes) ?? Buffer.alloc(bytes, "x");
    this.#buffers.set(bytes, made);
    return made;
  }

  #stream(bytes: number): Response {
    let left = bytes;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const piece = left >= this.#piece.length ? this.#piece : this.#piece.subarray(0, left);
        left -= piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        if (left === 0) controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "application/octet-stream" } });
  }
}

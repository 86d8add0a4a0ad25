// The loads that are measured and the work of each: what is sent, and what a right answer looks like.
// No sending here; wrk.ts does that. The same table makes the wrk script's variables and the check before a run.
// Loads with a generator of their own stand here by name only; figure-loads.ts knows where each is.

/** The loads with a generator of their own. */
export const FIGURE_LOAD_NAMES = ["streams", "bodies", "websocket", "batching", "overload", "isolation"] as const;

export type FigureLoadName = (typeof FIGURE_LOAD_NAMES)[number];

/** One kind of request. */
export interface Load {
  readonly name: LoadName;
  readonly title: string;
  readonly path: string;
  readonly method: "GET" | "POST";
  /** Size of the request's body in bytes. */
  readonly bodyBytes: number;
  /** The exact body of a right answer; `body` stands for the request's own. */
  readonly reply: (body: string) => string;
}

export type LoadName = "small" | "echo64k" | "post4k";

export const LOADS: readonly Load[] = [
  {
    name: "small",
    title: "GET, small JSON reply",
    path: "/small",
    method: "GET",
    bodyBytes: 0,
    reply: () => '{"hello":"world"}',
  },
  {
    name: "echo64k",
    title: "POST 64 KiB, echoed",
    path: "/echo",
    method: "POST",
    bodyBytes: 65_536,
    reply: (body) => body,
  },
  {
    name: "post4k",
    title: "POST 4 KiB, small JSON reply",
    path: "/length",
    method: "POST",
    bodyBytes: 4096,
    reply: (body) => `{"length":${body.length}}`,
  },
];

/** The body that a load sends: `x` repeated, so that Lua and JavaScript make the same one. */
export function bodyOf(load: Load): string {
  return "x".repeat(load.bodyBytes);
}

// A file of backends and endpoints: its form, and every mistake in it at once, each with its place and line. Pure.

import {
  type BackendSpec,
  type EndpointSpec,
  type Refusal,
  type Result,
  err,
  fault,
  ok,
  parseBackendConfig,
  parseBackendSpec,
  parseEndpointSpec,
} from "@headgate/core";
import { LineCounter, type Document, isMap, isScalar, isSeq, parseDocument } from "yaml";
import { z } from "zod";
import { parseHandlerInput } from "./handler-input.ts";
import type { Wanted } from "./plan.ts";

const BACKEND = z.strictObject({
  handler: z.unknown().refine((value) => value !== undefined, "is needed, such as ./handlers.ts#hello"),
  args: z.array(z.unknown()).optional(),
  config: z.record(z.string(), z.unknown()).optional(),
});

const ENDPOINT = z
  .strictObject({
    backend: z.string().optional(),
    traffic: z.record(z.string(), z.number()).optional(),
    route: z.string().nullable().optional(),
    methods: z.array(z.string()).optional(),
    shadows: z.record(z.string(), z.number()).optional(),
    requestTimeoutMs: z.number().optional(),
    maxBodyBytes: z.number().optional(),
  })
  .refine(({ backend, traffic }) => (backend === undefined) !== (traffic === undefined), "needs either backend or traffic");

const FILE = z.strictObject({
  backends: z.record(z.string(), BACKEND).nullable().optional(),
  endpoints: z.record(z.string(), ENDPOINT).nullable().optional(),
});

type Path = readonly PropertyKey[];
type Report = (path: Path, message: string) => void;

/** Reads a file. The refusal's message has a line for each mistake. `label` names the file in it. */
export function parseFile(source: string, label: string): Result<Wanted, Refusal> {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const problems: { readonly line: number; readonly text: string }[] = [];
  const report: Report = (path, message) => {
    const line = lineOf(document, lines, path);
    problems.push({ line, text: `${path.length === 0 ? "the file" : path.map(String).join(".")}: ${message}` });
  };
  for (const { pos, message } of document.errors) problems.push({ line: lines.linePos(pos[0]).line, text: message });
  const wanted = problems.length > 0 ? undefined : read(document.toJS() ?? {}, report);
  if (wanted !== undefined && problems.length === 0) return ok(wanted);
  const sorted = problems.sort((a, b) => a.line - b.line).map(({ line, text }) => `${label}:${line}: ${text}`);
  return err(fault("invalid_argument", sorted.join("\n"), { file: label }));
}

function read(value: unknown, report: Report): Wanted | undefined {
  const parsed = FILE.safeParse(value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      if (issue.code === "unrecognized_keys") {
        for (const key of issue.keys) report([...issue.path, key], "there is no such field");
      } else report(issue.path, issue.message);
    }
    return undefined;
  }
  const backends: BackendSpec[] = [];
  for (const [name, { handler, args = [], config = {} }] of Object.entries(parsed.data.backends ?? {})) {
    const path = ["backends", name];
    const input = parseHandlerInput(handler);
    if (!input.ok) report([...path, "handler"], input.error.message);
    const settings = Object.entries(config).map(([field, setting]) => [field, parseBackendConfig({ [field]: setting })] as const);
    for (const [field, setting] of settings) if (!setting.ok) report([...path, "config", field], setting.error.message);
    if (!input.ok || settings.some(([, setting]) => !setting.ok)) continue;
    const spec = parseBackendSpec({ name, handler: input.value, args, config });
    if (spec.ok) backends.push(spec.value);
    else report(path, spec.error.message);
  }
  const endpoints: EndpointSpec[] = [];
  const routes = new Map<string, string>();
  for (const [name, { backend, traffic, shadows = {}, ...rest }] of Object.entries(parsed.data.endpoints ?? {})) {
    const path = ["endpoints", name];
    const spec = parseEndpointSpec({
      name,
      ...rest,
      traffic: Object.entries(traffic ?? { [backend ?? ""]: 1 }).map(([to, weight]) => ({ backend: to, weight })),
      shadows: Object.entries(shadows).map(([to, proportion]) => ({ backend: to, proportion })),
    });
    if (!spec.ok) {
      report(path, spec.error.message);
      continue;
    }
    const { route } = spec.value;
    const other = route === null ? undefined : routes.get(route);
    if (other !== undefined) report([...path, "route"], `endpoint "${other}" has this route already`);
    if (route !== null) routes.set(route, name);
    endpoints.push(spec.value);
  }
  return { backends, endpoints };
}

/** Backends that endpoints use and that are neither asked for nor present: one line each. */
export function unknownBackends(wanted: Wanted, present: readonly { readonly name: string }[]): readonly string[] {
  const known = new Set([...wanted.backends, ...present].map(({ name }) => String(name)));
  return wanted.endpoints.flatMap(({ name, traffic, shadows }) =>
    [...traffic, ...shadows]
      .filter(({ backend }) => !known.has(backend))
      .map(({ backend }) => `endpoints.${name}: there is no backend "${backend}", neither in the file nor in the instance`),
  );
}

/** The line at which a place of the document stands, or the nearest place above it; 1 where there is none. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isScalar(node) || isMap(node) || isSeq(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  return lines.linePos(offset).line || 1;
}
